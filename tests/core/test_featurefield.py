"""Frozen features: derivatives against closed forms, and equations read through them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, Function, PinnlabError, PointField, Variable, Variables
from pinnlab.core.featurefield import FeatureField, RandomFeatures
from pinnlab.core.grid import Chebyshev, Fourier, Grid
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.kuramoto_sivashinsky import KuramotoSivashinsky
from pinnlab.solvers.features import Conditioned, FeatureDiscretisation

LINE = Domain(t=Axis(0, 1), x=Axis(1.0, 4.0))
PLANE = Domain(t=Axis(0, 1), x=Axis(-1, 2), y=Axis(0, 3, periodic=True))


@equation
class Free(Equation):
    """No boundary conditions: the features themselves."""

    domain: Domain = LINE
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        return {"u": f("u")}


def basis_of(domain, n=60, **settings):
    schemes = {a: Fourier() if domain[a].periodic else Chebyshev() for a in domain.space}
    grid = Grid(domain, {a: (s, n) for a, s in schemes.items()})
    cutoff = settings.pop("cutoff", 1e-12)
    return FeatureDiscretisation(grid, RandomFeatures(domain, **settings), cutoff)


def random_field(problem, basis, seed=0):
    expansion = Conditioned(basis, problem)
    random = np.random.default_rng(seed)
    sizes = {name: expansion.table(name, ()).shape[-1] for name in expansion.names}
    c = {name: jnp.asarray(random.normal(size=size)) for name, size in sizes.items()}
    return expansion, c, FeatureField(expansion, c, jnp.asarray(0.3))


def test_features_turn_over_inside_the_domain_and_repeat_by_seed():
    features = RandomFeatures(PLANE, 40, seed=3)
    values = jax.vmap(lambda x, y: features({"x": x, "y": y}))(
        jnp.linspace(-1, 2, 50), jnp.linspace(0, 3, 50)
    )
    assert values.shape == (50, 40)
    assert np.all(np.ptp(np.asarray(values), axis=0) > 0.05)
    at = {"x": jnp.asarray(0.2), "y": jnp.asarray(0.0)}
    around = {**at, "y": jnp.asarray(3.0)}
    np.testing.assert_allclose(features(at), features(around), atol=1e-14)
    np.testing.assert_array_equal(features(at), RandomFeatures(PLANE, 40, seed=3)(at))
    assert not np.allclose(features(at), RandomFeatures(PLANE, 40, seed=4)(at))


def test_derivatives_of_the_sum_in_closed_form():
    """tanh' = 1 - tanh^2 and so on, by hand, up to the fourth order."""
    basis = basis_of(LINE, count=12, slope=2.0)
    expansion, c, field = random_field(Free(), basis)
    point = {"x": jnp.asarray(1.0), "t": jnp.asarray(0.0)}
    ends = [expansion.features("u", {**point, "x": jnp.asarray(x)}) @ c["u"] for x in (1.0, 4.0)]
    np.testing.assert_allclose(np.asarray(field("u"))[[0, -1]], ends, rtol=1e-9)
    raw = jax.vmap(lambda x: RandomFeatures(LINE, 12, 2.0)({"x": x}))
    th = np.asarray(raw(jnp.asarray(basis.grid.nodes["x"])))
    from pinnlab.core.featurefield import _draw
    from pinnlab.solvers.features import _compression

    w = _draw(RandomFeatures(LINE, 12, 2.0))[0][:, 0] * 2.0 / 3.0
    s = 1 - th**2
    by_hand = (th, s, -2 * th * s, s * (6 * th**2 - 2), s * (16 * th - 24 * th**3))
    weights = _compression(basis, ()) @ np.asarray(c["u"])
    for order, values in enumerate(by_hand):
        right = (values * w**order) @ weights
        size = np.max(np.abs(values * w**order) @ np.abs(weights))
        assert np.max(np.abs(field("u", x=order) - right)) < 1e-13 * size


def test_a_function_of_the_field_obeys_the_product_rule():
    basis = basis_of(PLANE, n=24, count=60, slope=2.0, cutoff=1e-6)
    _, _, f = random_field(Free(domain=PLANE), basis)
    k = Function(lambda p, x: 2.0 + jnp.sin(p * x["x"]) * jnp.cos(x["y"]), jnp.asarray(1.5))
    x = f.coordinates
    kx, value = 1.5 * jnp.cos(1.5 * x["x"]) * jnp.cos(x["y"]), k.at(x)
    flux = f(lambda f: f(k) * f("u", x=1), x=1)
    right = kx * f("u", x=1) + value * f("u", x=2)
    np.testing.assert_allclose(flux, right, atol=1e-9 * np.max(np.abs(right)))
    mixed = f(lambda f: f("u", y=1) ** 2, x=1)
    np.testing.assert_allclose(mixed, 2 * f("u", y=1) * f("u", x=1, y=1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "problem",
    [
        KuramotoSivashinsky(),
        Heat(),
        Heat(diffusivity=Function(lambda p, x: 1.0 + p * x["x"] ** 2, jnp.asarray(0.5))),
    ],
    ids=["Kuramoto-Sivashinsky", "heat", "heat of a function"],
)
def test_features_and_points_read_an_equation_alike(problem):
    basis = basis_of(problem.domain, n=48, count=40, slope=2.0, cutoff=1e-6)
    expansion, c, field = random_field(problem, basis)
    nodes = jnp.asarray(basis.grid.nodes["x"])

    def at(x):
        def model(point):
            return {n: expansion.features(n, point) @ c[n] for n in c}

        point = {"t": jnp.asarray(0.3), "x": x}
        return problem.rhs(PointField(model, point, problem.domain, tuple(c)))

    right = jax.vmap(at)(nodes)["u"]
    assert np.max(np.abs(problem.rhs(field)["u"] - right)) < 1e-9 * np.max(np.abs(right))


@pytest.mark.parametrize(("orders", "allowed"), [(4, 3e-8), (2, 1e-10)])
def test_a_fitted_wave_is_read_with_its_derivatives(orders, allowed):
    problem = Free(domain=Domain(t=Axis(0, 1), x=Axis(-1, 1, periodic=True)))
    basis = basis_of(problem.domain, n=128, count=80, slope=1.5, cutoff=1e-14)
    x = basis.grid.nodes["x"]
    c = basis.fit(problem, {"u": np.sin(math.pi * x + 0.4)}, jnp.asarray(0.0))
    read = FeatureField(Conditioned(basis, problem), c, jnp.asarray(0.0))("u", x=orders)
    right = math.pi**orders * np.sin(math.pi * x + 0.4 + orders * math.pi / 2)
    assert np.max(np.abs(read - right)) < allowed * math.pi**orders


def test_messages():
    with pytest.raises(PinnlabError, match="count=0"):
        RandomFeatures(LINE, 0)
    field = random_field(Free(), basis_of(LINE, count=20, slope=2.0))[2]
    with pytest.raises(PinnlabError, match="time derivative of order 1 of 'u'"):
        field("u", t=1)
    with pytest.raises(PinnlabError, match="unknown axis 'y'"):
        field("u", y=1)
