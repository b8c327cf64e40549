"""Terms: rows that vanish for an exact solution, scales of order one, and their Jacobian."""

from dataclasses import dataclass

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
    Observations,
    PinnlabError,
    PointField,
    Profile,
    Robin,
    Variable,
    Variables,
    parameter,
)
from pinnlab.equations.base import Equation, equation
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.terms import DataTerm, Prior, PriorTerm, Problem, ResidualTerm, default_terms

KAPPA, RATE = 5e-7, 2 * np.pi / 86400  # a soil under a daily wave, in SI
DAMPING = float(np.sqrt(RATE / (2 * KAPPA)))


@equation
class Soil(Equation):
    """T_t = kappa T_zz under a daily wave: one condition of every kind along the depth."""

    kappa: Coefficient = parameter(KAPPA, "m2 s-1", bounds=(1e-8, 1e-4))
    domain: Domain = Domain(t=Axis(0, 172800, "s"), z=Axis(0.05, 0.35, "m"))
    variables: Variables = Variables(T=Variable("T", "K", scale=5.0, offset=290.0))

    def rhs(self, f):
        return {"T": f(lambda f: f(self.kappa) * f("T", z=1), z=1)}

    def conditions(self):
        return [
            Initial(T=wave),
            Initial(1, T=lambda x: jax.grad(lambda t: wave({**x, "t": t}))(x["t"])),
            Robin("z", "lower", a=1.5, b=self.kappa, T=lambda x: 1.5 * wave(x) - KAPPA * slope(x)),
            Neumann("z", "upper", T=slope),
        ]


def wave(x):
    """The exact solution: a damped wave that travels down."""
    return 290.0 + 5.0 * jnp.exp(-DAMPING * x["z"]) * jnp.sin(RATE * x["t"] - DAMPING * x["z"])


def slope(x):
    return jax.grad(lambda z: wave({**x, "z": z}))(x["z"])


@dataclass(frozen=True)
class Known:
    """A model that is a function times its one parameter: its field is exact at one."""

    function: object
    exact: bool = False
    embed: bool = False

    def init(self, key, equation, dtype=None):
        return {"a": jnp.asarray(1.0, dtype)}

    def apply(self, params, equation, point):
        return {n: params["a"] * self.function(point) for n in equation.variables}

    def field(self, params, equation, point, slots=()):
        names = equation.variables.names
        return PointField(
            lambda x: self.apply(params, equation, x), point, equation.domain, names, slots
        )


def batch_of(problem, n=40, seed=0, reach=1.0):
    random, batch = np.random.default_rng(seed), {}
    for name, term in problem.by_name.items():
        batch[name] = (
            term.fixed
            if term.fixed is not None
            else term.place(jnp.asarray(random.uniform(size=(n, term.dims))), reach)
        )
    return batch


def ones(problem):
    return {name: jnp.asarray(1.0) for name in problem.by_name}


def scattered(eq, n=30):
    random = np.random.default_rng(1)
    return {a: random.uniform(eq.domain[a].lower, eq.domain[a].upper, n) for a in eq.domain}


def soil_problem(function=wave, learned=()):
    eq, model = Soil(), Known(function)
    points = scattered(eq)
    seen = Observations("T", points, np.asarray(wave(points)), 0.1)
    priors = {"kappa": Prior(KAPPA)}
    return Problem(eq, model, default_terms(eq, model, [seen], priors), learned)


def test_every_row_vanishes_for_the_exact_solution():
    problem = soil_problem()
    assert set(problem.by_name) == {
        "residual", "initial_0", "initial_1", "boundary_z_lower", "boundary_z_upper",
        "data_T_0", "prior_kappa",
    }  # fmt: skip
    params = problem.init(jax.random.key(0))
    losses = jax.jit(problem.losses)(params, batch_of(problem))
    assert all(float(loss) < 1e-20 for loss in losses.values()), losses


def test_rows_of_a_wrong_solution_are_of_order_one():
    """In SI its residual is 1e-5 K/s and its flux row 1e-6 K m/s; divided by natural scales, all
    sources of rows compare. A prediction that is off by one scale of T is off by one here."""
    off = soil_problem(lambda x: wave(x) + 5.0 * jnp.sin(x["t"] / 86400 + x["z"] / 0.15))
    losses = jax.jit(off.losses)(off.init(jax.random.key(0)), batch_of(off))
    for name, loss in losses.items():
        bounds = (0.1, 10.0) if name not in ("data_T_0", "prior_kappa") else (0.0, 1e4)
        assert bounds[0] <= np.sqrt(float(loss)) <= bounds[1], (name, loss)
    # 5 K against sigma = 0.1 K, by hand
    points = scattered(Soil())
    expected = np.mean((50 * np.sin(points["t"] / 86400 + points["z"] / 0.15)) ** 2)
    np.testing.assert_allclose(losses["data_T_0"], expected, rtol=1e-9)


def test_points_lie_where_their_term_belongs():
    problem = soil_problem()
    batch = batch_of(problem, reach=0.25)
    domain = problem.equation.domain
    assert float(batch["residual"]["t"].max()) <= 0.25 * domain["t"].upper
    assert float(batch["residual"]["z"].max()) > 0.3
    assert set(np.asarray(batch["initial_0"]["t"])) == {0.0}
    assert set(np.asarray(batch["boundary_z_upper"]["z"])) == {0.35}
    assert float(batch["boundary_z_upper"]["t"].max()) <= 0.25 * domain["t"].upper
    assert batch["data_T_0"]["t"].shape == (30,)  # observations are where they are


@equation
class Ring(Equation):
    """u_t + u_x = 0 on a ring."""

    domain: Domain = Domain(t=Axis(0, 1), x=Axis(0, 2, periodic=True))
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        return {"u": -f("u", x=1)}

    def conditions(self):
        return [Initial(u=lambda x: jnp.sin(jnp.pi * x["x"]))]


def test_a_periodic_axis_without_embedding_gives_soft_rows():
    eq = Ring()
    good, bad = (
        Problem(eq, model, default_terms(eq, model))
        for model in (Known(lambda x: jnp.sin(jnp.pi * (x["x"] - x["t"]))), Known(lambda x: x["x"]))
    )
    assert set(good.by_name) == {"residual", "initial_0", "periodic_x"}
    params = good.init(jax.random.key(0))
    losses = good.losses(params, batch_of(good))
    assert all(float(loss) < 1e-20 for loss in losses.values())
    rows = bad.raw("periodic_x", params, batch_of(bad)["periodic_x"])
    np.testing.assert_allclose(rows, np.tile([2.0, 0.0], (40, 1)))  # u differs, u_x does not


def test_an_exact_model_needs_no_rows_for_its_conditions():
    eq = Ring()
    embedded = default_terms(eq, Model(MLP(4, 1)))
    assert [term.name for term in embedded] == ["residual"]
    soft = default_terms(eq, Model(MLP(4, 1), exact=False, embed=False))
    assert [term.name for term in soft] == ["residual", "initial_0", "periodic_x"]


# ---------------------------------------------------------------- the problem


def small(learned=("kappa",)):
    eq = Soil(kappa=Profile("z", (0.05, 0.2, 0.35), (4e-7, 5e-7, 7e-7)))
    model = Model(MLP(4, 1), exact=False)
    points = scattered(eq, 9)
    terms = default_terms(
        eq, model, [Observations("T", points, np.asarray(wave(points)), 0.5)],
        {"kappa": Prior(5e-7, 0.5, smooth=0.3)},
    )  # fmt: skip
    return Problem(eq, model, terms, learned)


def test_the_squares_of_the_rows_sum_to_the_loss():
    problem = small()
    batch, weights = batch_of(problem, 11), ones(problem)
    weights = {**weights, "residual": jnp.asarray(0.3), "data_T_0": jnp.asarray(7.0)}
    params = problem.init(jax.random.key(1))
    rows = jax.jit(problem.rows)(params, batch, weights)
    loss, losses = jax.jit(lambda *a: (problem.loss(*a), problem.losses(*a[:2])))(
        params, batch, weights
    )
    np.testing.assert_allclose(jnp.vdot(rows, rows), loss, rtol=1e-13)
    assert rows.shape == (5 * 11 + 9 + 3,)  # a prior on a profile of three knots has three rows
    by_hand = sum(float(weights[n]) * float(v) for n, v in losses.items())
    np.testing.assert_allclose(loss, by_hand, rtol=1e-13)


def test_the_jacobian_agrees_with_automatic_and_finite_differences():
    problem = small()
    batch, weights = batch_of(problem, 5), {**ones(problem), "data_T_0": jnp.asarray(3.0)}
    params = problem.init(jax.random.key(1))
    flat, unravel = ravel_pytree(params)
    assert flat.size == 2 * 4 + 4 + 4 + 1 + 3
    rows, jacobian = jax.jit(problem.jacobian)(params, batch, weights)
    # the batch is an argument here too: the rows come in its order, and jit sorts it
    compiled = jax.jit(lambda theta, batch: problem.rows(unravel(theta), batch, weights))

    def whole(theta):
        return compiled(theta, batch)

    np.testing.assert_allclose(rows, whole(flat), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(jacobian, jax.jacfwd(whole)(flat), rtol=1e-9, atol=1e-12)
    for i in range(flat.size):
        h = 1e-6
        difference = (whole(flat.at[i].add(h)) - whole(flat.at[i].add(-h))) / (2 * h)
        np.testing.assert_allclose(jacobian[:, i], difference, rtol=1e-5, atol=1e-7)
    learned = jacobian[:, :3]  # "equation" comes before "network"
    assert float(jnp.abs(learned).max()) > 1e-3


def test_learned_parameters_start_at_the_equation_and_stay_in_their_bounds():
    problem = small()
    params = problem.init(jax.random.key(0))
    np.testing.assert_allclose(problem.equation_of(params).kappa.values, [4e-7, 5e-7, 7e-7])
    wild = jax.tree.map(lambda leaf: leaf + 1e3, params["equation"])
    there = problem.equation_of({**params, "equation": wild}).kappa.values
    np.testing.assert_allclose(there, 1e-4, rtol=1e-12)
    assert small(()).init(jax.random.key(0))["equation"] == {}
    with pytest.raises(PinnlabError, match=r"parameter \(infer\) 'kapa'.*kappa"):
        small(("kapa",))


def test_priors_are_in_the_logarithm():
    def rows(value, prior):
        eq = Soil(kappa=value)
        problem = Problem(eq, Known(wave), [PriorTerm("kappa", prior)], ["kappa"])
        params = problem.init(jax.random.key(0))
        return np.asarray(problem.raw("prior_kappa", params, batch_of(problem)["prior_kappa"]))[0]

    np.testing.assert_allclose(rows(1e-6, Prior(5e-7, np.log(2))), [1.0])
    profile = Profile("z", (0.1, 0.2, 0.3), (2e-7, 4e-7, 8e-7))
    smooth = rows(profile, Prior(4e-7, 0.7, smooth=np.log(2)))
    np.testing.assert_allclose(smooth, [0.0, 1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(rows(profile, Prior(4e-7, 0.7)), [0.0], atol=1e-12)
    for bad in (Prior, lambda c: Prior(1.0, c), lambda c: Prior(1.0, 1.0, c)):
        with pytest.raises(PinnlabError, match="must be positive"):
            bad(-1.0)


@pytest.mark.parametrize(
    "variable, points, words",
    [
        ("Q", {"t": [0.0], "z": [0.1]}, r"variable \(observations\) 'Q'.*T"),
        ("T", {"t": [0.0]}, "axis of the observations of 'T' 'z'.*t"),
    ],
)
def test_observations_of_what_does_not_exist(variable, points, words):
    seen = Observations(variable, {a: np.array(c) for a, c in points.items()}, np.array([1.0]))
    problem = Problem(Soil(), Known(wave), [DataTerm(seen)])
    with pytest.raises(PinnlabError, match=words):
        problem.losses(problem.init(jax.random.key(0)), batch_of(problem))


def test_a_system_has_a_row_for_each_of_its_sides():
    @equation
    class Spring(Equation):
        domain: Domain = Domain(t=Axis(0, 2))
        variables: Variables = Variables(x=Variable("x"), v=Variable("v", scale=4.0))

        def rhs(self, f):
            return {"x": f("v"), "v": -f("x")}

        def conditions(self):
            return [Initial(x=0.0, v=1.0)]

    class Circle(Known):
        def apply(self, params, equation, point):
            return {"x": jnp.sin(point["t"]), "v": params["a"] * jnp.cos(point["t"])}

    eq = Spring()
    problem = Problem(eq, Circle(None), default_terms(eq, Circle(None)))
    assert [term.dims for term in problem.terms] == [1, 0]
    params = problem.init(jax.random.key(0))
    losses = problem.losses(params, batch_of(problem))
    assert all(float(loss) < 1e-25 for loss in losses.values())
    doubled = {**params, "network": {"a": jnp.asarray(2.0)}}
    rows = problem.raw("residual", doubled, {"t": jnp.asarray([0.5])})
    # x' - 2 cos t over scale 1 / 1 s; the second, 2 x v' + x, over 4
    np.testing.assert_allclose(rows, [[-np.cos(0.5), -np.sin(0.5) / 4]], rtol=1e-12)
    assert isinstance(problem.by_name["residual"], ResidualTerm)


def test_a_dirichlet_row_is_the_miss_over_the_scale():
    @equation
    class Wall(Soil):
        def conditions(self):
            return [Dirichlet("z", "upper", T=285.0)]

    eq = Wall()
    model = Known(lambda x: 290.0 + 0.0 * x["z"])
    problem = Problem(eq, model, default_terms(eq, model))
    rows = problem.raw(
        "boundary_z_upper", problem.init(jax.random.key(0)), batch_of(problem)["boundary_z_upper"]
    )
    np.testing.assert_allclose(rows, 1.0)
