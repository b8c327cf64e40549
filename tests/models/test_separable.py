"""Separable models: a tensor product of points gives what the points one by one give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Initial,
    Neumann,
    PinnlabError,
    Profile,
    Robin,
    Variable,
    Variables,
    parameter,
)
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat_3d import Heat3D
from pinnlab.models import Model, NetworkReading
from pinnlab.models.storage import load_reading, save_reading
from pinnlab.networks import MLP, Separable
from pinnlab.terms import Problem, default_terms
from pinnlab.terms.mesh import listed, mesh_of

SMALL = Separable(rank=3, width=4, depth=1)


def mesh(domain, seed=0):
    random = np.random.default_rng(seed)
    columns = [random.uniform(domain[a].lower, domain[a].upper, 2 + i % 3) for i, a in
               enumerate(domain)]  # fmt: skip
    return {a: jnp.asarray(c) for a, c in zip(domain, np.ix_(*columns), strict=True)}


def random_params(model, eq, seed=0):
    random = np.random.default_rng(seed)
    start = model.init(jax.random.key(0), eq, jnp.result_type(float))
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape)), start)


def both(model, eq, asks):
    """Each question asked on a tensor product, and at all of its points."""
    params, places = random_params(model, eq), mesh(eq.domain)

    @jax.jit
    def on_mesh(params):
        f = model.field(params, eq, places, eq.slots())
        return [f(what, **orders) for what, orders in asks]

    @jax.jit
    def at_points(params):
        def at(point):
            f = model.field(params, eq, point)
            return [f(what, **orders) for what, orders in asks]

        return jax.vmap(at)(listed(places))

    return [
        (np.asarray(one), np.asarray(other).reshape(one.shape))
        for one, other in zip(on_mesh(params), at_points(params), strict=True)
    ]


@pytest.mark.parametrize("exact", [True, False])
def test_every_slot_of_the_heat_equation_in_a_box(exact):
    eq = Heat3D(diffusivity=0.07)
    asks = [
        *((name, dict(orders)) for name, orders in eq.slots()),
        ("u", {}),
        ("u", {"x": 1, "z": 1}),
    ]
    assert len(asks) == 6  # u_t, u_xx, u_yy, u_zz
    for on_mesh, at_points in both(Model(SMALL, exact=exact), eq, asks):
        assert np.ptp(on_mesh) > 1e-3
        np.testing.assert_allclose(on_mesh, at_points, rtol=1e-12, atol=1e-12)


@equation
class Held(Equation):
    """Two variables with a flux and conditions of every kind, on a box with a periodic axis."""

    k: Coefficient = parameter(Profile("x", (0.0, 1.0, 2.0), (1.0, 1.5, 1.2)), "1")
    b: Coefficient = parameter(0.7, "1", bounds=(0.1, 10.0))
    domain: Domain = Domain(
        t=Axis(0.5, 2), x=Axis(0, 2), y=Axis(-1, 1), z=Axis(0, 3, periodic=True)
    )
    variables: Variables = Variables(
        u=Variable("u", scale=3.0, offset=-1.0), v=Variable("v", order=2, scale=0.5)
    )

    def rhs(self, f):
        flux = f(lambda f: f(self.k) * f("u", x=1), x=1)
        return {"u": flux - f("v") * f("u", z=1), "v": f("v", y=2) + f("u")}

    def conditions(self):
        return [
            Initial(u=wave, v=0.3),
            Initial(1, v=wave),
            Dirichlet("x", "lower", u=wave),
            Robin("x", "upper", a=2.0, b=self.b, v=wave),
            Neumann("y", u=0.2, v=wave),
        ]


def wave(x):
    return jnp.sin(x["x"] + 0.5 * x["y"]) * jnp.exp(-x["t"])


ASKS = [
    ("u", {}),
    ("v", {}),
    ("u", {"t": 1}),
    ("v", {"t": 2}),
    ("u", {"y": 1, "z": 2}),
    ("v", {"x": 1}),
]


def test_exact_conditions_of_every_kind_and_a_periodic_axis():
    flux = (lambda f: f(Held().k) * f("u", x=1), {"x": 1})
    for on_mesh, at_points in both(Model(SMALL, harmonics=2), Held(), [*ASKS, flux]):
        np.testing.assert_allclose(on_mesh, at_points, rtol=1e-10, atol=1e-10)


def test_a_condition_that_couples_axes_needs_soft_rows():
    @equation
    class Coupled(Held):
        def conditions(self):
            return [Robin("x", "upper", a=1.0, b=lambda x: 1.0 + x["y"] ** 2, u=0.0)]

    eq, model = Coupled(), Model(SMALL)
    with pytest.raises(PinnlabError, match=r"on 'u' at the ends of 'x'.*along 'y'.*exact=false"):
        model.field(random_params(model, eq), eq, mesh(eq.domain))("u")


# ---------------------------------------------------------------- problems


def problem_of(eq, **more):
    model = Model(SMALL, **more)
    return Problem(eq, model, default_terms(eq, model))


def meshes(problem, points=20):
    random, axes = np.random.default_rng(3), problem.equation.domain.axes

    def draw(i, n):
        return jnp.asarray(random.uniform(size=n))

    return {n: mesh_of(t, axes, points, draw, 0.5) for n, t in problem.by_name.items()}


@equation
class Turning(Equation):
    """Transport on a ring through a channel: soft rows of every kind."""

    domain: Domain = Domain(t=Axis(0, 2), x=Axis(0, 1), y=Axis(-1, 1, periodic=True))
    variables: Variables = Variables(u=Variable("u", scale=2.0))

    def rhs(self, f):
        return {"u": -f("u") * f("u", y=1) + f.coordinates["x"] * f("u", x=1)}

    def conditions(self):
        return [Initial(u=lambda x: jnp.sin(x["x"])), Dirichlet("x", "upper", u=lambda x: x["y"])]


def test_loss_gradient_and_rows_are_those_of_the_points():
    """The Jacobian takes a mesh point by point: its rows are the points' own, and 2 J'r is the
    gradient. Faces are flat along an axis."""
    problem = problem_of(Turning(), exact=False, embed=False)
    batch = meshes(problem, 30)
    assert {a: c.shape for a, c in batch["boundary_x_upper"].items()} == {
        "t": (5, 1, 1), "x": (1, 1, 1), "y": (1, 1, 5),
    }  # fmt: skip
    assert set(batch) == {"residual", "initial_0", "boundary_x_upper", "periodic_y"}
    assert 0.5 < float(batch["residual"]["t"].max()) <= 0.5 * 2.0  # the reach
    weights = {name: jnp.asarray(1.0 + i) for i, name in enumerate(batch)}

    @jax.jit
    def all_of(params, batch):
        value, grad = problem.value_and_grad(params, batch, weights)
        jacobian = problem.jacobian(params, batch, weights)
        return value, ravel_pytree(grad)[0], problem.rows(params, batch, weights), *jacobian

    value, grad, rows, at_points, jacobian = all_of(problem.init(jax.random.key(1)), batch)
    assert rows.shape == (3**3 + 5**2 + 5**2 + 2 * 5**2,)
    np.testing.assert_allclose(rows, at_points, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(value, jnp.vdot(at_points, at_points), rtol=1e-11)
    np.testing.assert_allclose(grad, 2.0 * at_points @ jacobian, rtol=1e-9, atol=1e-12)


def test_points_as_a_list_are_taken_as_before():
    problem = problem_of(Turning(), exact=False, embed=False)
    batch = meshes(problem, 8)
    params = problem.init(jax.random.key(1))
    one, other = (
        jax.jit(lambda columns: problem.raw("residual", params, columns))(columns)
        for columns in (batch["residual"], listed(batch["residual"]))
    )
    assert one.shape == other.shape == (8, 1)
    np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_a_reading_takes_grids_as_tensor_products():
    eq, model = Held(), Model(SMALL)
    params = {"network": random_params(model, eq), "equation": {}}
    reading = NetworkReading(eq, model, params)
    columns = {a: np.linspace(eq.domain[a].lower, eq.domain[a].upper, 3) for a in eq.domain}
    tensor = dict(zip(columns, np.ix_(*columns.values()), strict=True))
    full = dict(zip(columns, np.broadcast_arrays(*tensor.values()), strict=True))
    np.testing.assert_allclose(reading.on(columns)["v"], reading("v", **full), rtol=1e-11)
    np.testing.assert_allclose(reading.residual("u", **tensor), reading.residual("u", **full),
                               rtol=1e-9, atol=1e-12)  # fmt: skip


def test_a_stored_solution_is_the_same(tmp_path):
    eq, model = Heat3D(), Model(SMALL)
    reading = NetworkReading(eq, model, {"network": random_params(model, eq), "equation": {}})
    save_reading(reading, tmp_path / "solution.safetensors", {})
    again, _ = load_reading(tmp_path / "solution.safetensors")
    columns = {axis: np.linspace(0, 1, 3) for axis in eq.domain}
    np.testing.assert_array_equal(again.on(columns)["u"], reading.on(columns)["u"])
    assert again.model.tensor


def test_only_separable_networks_are_evaluated_on_tensor_products():
    assert Model(SMALL).tensor and not Model(MLP(4, 1)).tensor
