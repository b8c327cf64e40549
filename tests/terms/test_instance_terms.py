"""Terms of an operator: zero rows for the solution, squares that are errors, right slopes."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Domain,
    Initial,
    Neumann,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.core.scores import relative_l2
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.family import Family
from pinnlab.models.operator import OperatorModel
from pinnlab.networks import Fno
from pinnlab.terms import Problem
from pinnlab.terms.instances import INPUT, SOLUTION, PairTerm, PhysicsTerm

RING = Domain(t=Axis(0, 0.5), x=Axis(-1, 1, periodic=True))
INNER = Grid(RING, {"x": (Fourier(), 16)})
FNO = Fno(4, 1, 3, transform="dft")


class Given(nn.Module):
    """Gives a fixed array, whatever it is given."""

    values: tuple
    outputs: int = 1

    @nn.compact
    def __call__(self, x):
        return jnp.asarray(np.asarray(self.values), x.dtype).reshape(*x.shape[:-1], self.outputs)


@equation
class Stirred(Equation):
    """u_t = nu u_xx + v, v_t = -3 v / s, with a slope of zero at the walls."""

    nu: Coefficient = parameter(0.1, "1")
    domain: Domain = Domain(t=Axis(0, 1, "s", scale=0.5), x=Axis(0, 1, "m"))
    variables: Variables = Variables(u=Variable("u", "m", scale=2.0), v=Variable("v", "m", scale=4))

    def rhs(self, f):
        return {"u": f(self.nu) * f("u", x=2) + f("v"), "v": -3.0 * f("v")}

    def conditions(self):
        return [Initial(u=lambda x: jnp.cos(jnp.pi * x["x"]), v=1.0), Neumann("x", u=0.0)]


def nothing(key, n, step):
    raise AssertionError("not drawn here")


def answer(*arrays):
    """A network whose output is these arrays."""
    stacked = np.stack(arrays, axis=-1)
    return Given(tuple(stacked.ravel().tolist()), len(arrays))


def burgers(n_t=17, n_x=64):
    """The exact solution of Burgers' equation from a sine, on a grid, with the family."""
    equation = Burgers(nu=0.1, domain=RING)
    family = Family(equation, INNER, ("u",), ("nu",))
    grid = Grid(RING, {"t": (Chebyshev(), n_t), "x": (Fourier(), n_x)})
    x = {a: jnp.asarray(c) for a, c in grid.coordinates.items()}
    return equation, family, grid, np.asarray(equation.exact(x)["u"])


def state(seed=0):
    x = INNER.nodes["x"]
    a, b = np.random.default_rng(seed).normal(size=2)
    return np.sin(np.pi * x) * a + np.cos(2 * np.pi * x) * b


def test_the_residual_of_the_exact_solution_vanishes_with_the_grid():
    def size(n_t, n_x):
        equation, family, grid, exact = burgers(n_t, n_x)
        model = OperatorModel(answer(exact), family.names, grid, exact=False)
        point = {INPUT + "u": -np.sin(np.pi * INNER.nodes["x"]), INPUT + "nu": np.asarray(0.1)}
        term = PhysicsTerm(family, grid, nothing)
        rows = jax.jit(lambda point: term.row(model, {}, equation, point))(point)
        return float(jnp.linalg.norm(rows))

    sizes = [size(5, 16), size(9, 32), size(17, 64)]
    assert sizes[1] < 0.1 * sizes[0] and sizes[2] < 0.01 * sizes[1] and sizes[2] < 1e-5, sizes


def test_a_members_parameter_enters_the_residual():
    """With another viscosity the exact solution leaves (nu' - nu) u_xx."""
    equation, family, grid, exact = burgers()
    model = OperatorModel(answer(exact), family.names, grid, exact=False)
    point = {INPUT + "u": -np.sin(np.pi * INNER.nodes["x"]), INPUT + "nu": np.asarray(0.15)}
    rows = PhysicsTerm(family, grid, nothing).row(model, {}, equation, point)
    bend = Fourier().matrix(RING["x"], 64, 2) @ exact.T
    share = grid.weights / grid.weights.sum()
    mean = np.sum(share * (0.05 * bend.T) ** 2) / equation.residual_scale("u") ** 2
    assert float(jnp.sum(rows**2)) == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize(
    ("time", "space"), [(Chebyshev(), Chebyshev()), (FiniteDifference(4), FiniteDifference(6))]
)
def test_squares_of_the_residual_sum_to_its_mean_square(time, space):
    """u = t x^2 + 1, v = x t^2: a polynomial, whose residual is integrated by hand."""
    domain = Stirred().domain
    grid = Grid(domain, {"t": (time, 41), "x": (space, 41)})
    t, x = grid.coordinates["t"], grid.coordinates["x"]
    family = Family(Stirred(), Grid(domain, {"x": (space, 41)}), (), ("nu",))
    outputs = (t * x**2 + 1.0) / 2.0, x * t**2 / 4.0  # over the declared scales
    model = OperatorModel(answer(*outputs), ("nu",), grid, exact=False)
    term = PhysicsTerm(family, grid, nothing)
    rows = np.asarray(term.row(model, {}, Stirred(), {INPUT + "nu": np.asarray(0.25)}))
    points, weights = np.polynomial.legendre.leggauss(12)
    p, w = 0.5 * (points + 1.0), 0.5 * weights
    a, b = p[:, None], p[None]  # time and space
    of_u = (b**2 - 0.25 * 2.0 * a - b * a**2) / (2.0 / 0.5)
    of_v = (2.0 * b * a + 3.0 * b * a**2) / (4.0 / 0.5)
    means = [np.sum(w[:, None] * w * side**2) for side in (of_u, of_v)]
    found = np.sum(rows.reshape(2, -1) ** 2, axis=1)
    np.testing.assert_allclose(found, means, rtol=1e-9 if time == Chebyshev() else 2e-4)


def test_squares_of_pairs_sum_to_squared_relative_errors():
    rng = np.random.default_rng(1)
    domain = Stirred().domain
    grid = Grid(domain, {"t": (Chebyshev(), 5), "x": (Chebyshev(), 6)})
    family = Family(Stirred(), Grid(domain, {"x": (Chebyshev(), 6)}), (), ("nu",))
    u, v, true_u, true_v = (
        rng.normal(size=(4, 5, 6)) * np.asarray([2.0, 4.0, 1e3, 1e-3])[:, None, None]
    )
    model = OperatorModel(answer(u / 2.0, v / 4.0), ("nu",), grid, exact=False)
    columns = {INPUT + "nu": np.asarray(0.1), SOLUTION + "u": true_u, SOLUTION + "v": true_v}
    term = PairTerm(family, grid, nothing)
    rows = np.asarray(term.row(model, {}, Stirred(), columns))
    errors = [relative_l2(a[None], b[None])[0] for a, b in ((u, true_u), (v, true_v))]
    np.testing.assert_allclose(np.sum(rows.reshape(2, -1) ** 2, axis=1), np.square(errors))
    exact = {INPUT + "nu": np.asarray(0.1), SOLUTION + "u": u, SOLUTION + "v": v}
    np.testing.assert_allclose(term.row(model, {}, Stirred(), exact), 0.0, atol=1e-14)


@pytest.mark.parametrize("double", [True, False])
def test_a_solution_of_zero_leaves_the_error_itself(double):
    """As the scores do; nothing overflows in single precision."""
    domain = Stirred().domain
    with jax.enable_x64(double):
        grid = Grid(domain, {"x": (Chebyshev(), 6)})
        family = Family(Stirred(), grid, (), ("nu",))
        model = OperatorModel(answer(np.full(6, 3.0), np.ones(6)), ("nu",), grid, exact=False)
        zero = jnp.zeros(6)
        columns = {INPUT + "nu": jnp.asarray(0.1), SOLUTION + "u": zero, SOLUTION + "v": zero}
        rows = PairTerm(family, grid, nothing).row(model, {}, Stirred(), columns)
        np.testing.assert_allclose(rows, np.repeat([6.0, 4.0], 6))


def made(exact=True):
    """Pairs and residual on different grids, and two members."""
    equation = Burgers(nu=0.1, domain=RING)
    family = Family(equation, INNER, ("u",))
    data = Grid(RING, {"t": (Chebyshev(), 4), "x": (Fourier(), 12)})
    physics = Grid(RING, {"t": (Chebyshev(), 6), "x": (Fourier(), 20)})
    inputs = jnp.asarray(np.stack([state(0), state(1)]))
    truth = jnp.asarray(np.random.default_rng(2).normal(size=(2, *data.shape)))

    def pairs(key, n, step):
        return {INPUT + "u": inputs, SOLUTION + "u": truth}

    terms = [
        PairTerm(family, data, pairs),
        PhysicsTerm(family, physics, lambda *_: {INPUT + "u": inputs}),
    ]
    problem = Problem(equation, OperatorModel(FNO, ("u",), data, exact=exact), terms)
    batch = {term.name: term.draw(None, 2, True) for term in terms}
    return problem, batch, dict.fromkeys(batch, jnp.asarray(1.5))


def test_the_residual_stands_on_a_grid_of_its_own():
    problem, batch, _ = made()
    params = jax.jit(problem.init)(jax.random.key(0))
    raw = jax.jit(lambda p: {name: problem.raw(name, p, batch[name]) for name in batch})(params)
    assert raw["pairs"].shape == (2, 4 * 12) and raw["residual"].shape == (2, 6 * 20)
    # of the same function as on the other grid: the model asked there
    term = problem.terms[1]
    member = term.member(problem.equation, {INPUT + "u": jnp.asarray(state(1))})

    @jax.jit
    def side(params):
        return member.residual(problem.model.field(params["network"], member, term.grid))["u"]

    share = term.grid.weights / term.grid.weights.sum()
    mean = np.sum(share * np.asarray(side(params)) ** 2)
    mean /= problem.equation.residual_scale("u") ** 2
    assert float(jnp.sum(raw["residual"][1] ** 2)) == pytest.approx(mean, rel=1e-12)


def test_slopes_agree_with_differences():
    problem, batch, weights = made()
    params = jax.jit(problem.init)(jax.random.key(0))
    loss = jax.jit(lambda p: problem.loss(p, batch, weights))
    value, slope = jax.jit(lambda p: problem.value_and_grad(p, batch, weights))(params)
    assert float(value) == pytest.approx(float(loss(params)), rel=1e-12)
    rng = np.random.default_rng(3)
    way = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape)), params)

    def at(step):
        return float(loss(jax.tree.map(lambda p, d: p + step * d, params, way)))

    found = sum(
        float(jnp.sum(g * d)) for g, d in zip(*map(jax.tree.leaves, (slope, way)), strict=True)
    )
    assert found == pytest.approx((at(1e-5) - at(-1e-5)) / 2e-5, rel=1e-6)


def test_the_jacobian_is_that_of_the_rows():
    problem, batch, weights = made(exact=False)
    params = jax.jit(problem.init)(jax.random.key(0))
    rows, jacobian = jax.jit(lambda p: problem.jacobian(p, batch, weights))(params)
    assert rows.shape[0] == jacobian.shape[0] == 2 * (48 + 120)
    assert float(jnp.sum(rows**2)) == pytest.approx(float(problem.loss(params, batch, weights)))
    flat, unravel = jax.flatten_util.ravel_pytree(params)
    way = jnp.asarray(np.random.default_rng(4).normal(size=flat.size))

    @jax.jit
    def at(step):
        return problem.rows(unravel(flat + step * way), batch, weights)

    change = (at(1e-5) - at(-1e-5)) / 2e-5
    np.testing.assert_allclose(jacobian @ way, change, atol=1e-6 * float(jnp.max(jnp.abs(change))))
