"""Krylov methods with fast diagonalization: order, agreement with a dense solve, iterations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Dirichlet,
    Domain,
    Function,
    Neumann,
    PinnlabError,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.errors import DivergenceError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.core.precision import precision
from pinnlab.equations import Heat, Helmholtz, Poisson
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.family import Family
from pinnlab.equations.meanoperator import mean_operator
from pinnlab.sampling import GaussianField, TwoPhase
from pinnlab.solvers.classical import Krylov
from pinnlab.solvers.krylov import solve_krylov
from pinnlab.solvers.pairs import Pairs
from pinnlab.solvers.steady import solve_steady


def u(x):
    return jnp.exp(0.5 * x["x"]) * jnp.cos(2 * x["y"] + 0.3)


def slow(p, x):
    return 1 + p * jnp.sin(2 * x["x"]) * jnp.cos(x["y"])


@equation
class Transport(Equation):
    """div(k grad u) + drift u_x - decay u = q, for the q that makes u the solution."""

    k: float = parameter(Function(slow, 0.5), "1")
    drift: float = parameter(0.0, "1")
    decay: float = parameter(1.0, "1")
    square: float = parameter(0.0, "1")
    around: bool = False
    domain: Domain = Domain(x=Axis(0, 1), y=Axis(-1, 1))
    variables: Variables = Variables(u=Variable("concentration", order=0))

    def rhs(self, f):
        x, p = f.coordinates, 0.5
        kx = p * 2 * jnp.cos(2 * x["x"]) * jnp.cos(x["y"])
        ky = -p * jnp.sin(2 * x["x"]) * jnp.sin(x["y"])
        u_y = -2 * jnp.exp(0.5 * x["x"]) * jnp.sin(2 * x["y"] + 0.3)
        flow = slow(p, x) * (0.25 - 4) * u(x) + kx * 0.5 * u(x) + ky * u_y
        q = flow + self.drift * 0.5 * u(x) - self.decay * u(x)
        slope = f(self.drift) * f("u", x=1)
        left = f.laplacian("u", self.k) + slope - f(self.decay) * f("u")
        return {"u": left - q + f(self.square) * f("u") ** 2}

    def conditions(self):
        return [Dirichlet("x", u=u), Dirichlet("y", u=u)]


def grid_for(equation, scheme, n):
    return Grid(equation.domain, {axis: (scheme, n) for axis in equation.domain.space})


def truth(grid):
    x = {a: jnp.asarray(c) for a, c in grid.coordinates.items()}
    return np.asarray(jnp.broadcast_to(u(x), grid.shape))


@pytest.mark.parametrize(("accuracy", "drift"), [(2, 0.0), (4, 3.0)], ids=["symmetric", "not"])
def test_error_falls_with_the_order_of_the_scheme(accuracy, drift):
    made, counts, errors = Transport(drift=drift), (17, 25, 37), []
    for n in counts:
        found = solve_krylov(made, grid_for(made, FiniteDifference(accuracy), n), rtol=1e-11)
        errors.append(np.abs(found.values["u"] - truth(found.grid)).max())
    slopes = -np.diff(np.log(errors)) / np.diff(np.log(np.array(counts) - 1.0))
    assert np.all(slopes > accuracy - 0.3)
    assert errors[-1] < {2: 1e-3, 4: 2e-6}[accuracy]


@pytest.mark.parametrize(
    ("made", "scheme"),
    [
        (Transport(), FiniteDifference(2)),
        (Transport(drift=2.0), Chebyshev()),
        (Poisson(domain=Domain(x=Axis(0, 2), y=Axis(0, 1))), FiniteDifference(4)),
        (Helmholtz(k=Function(lambda p, x: p + 0.1 * x["x"], 6.0)), FiniteDifference(2)),
    ],
    ids=["symmetric", "drift", "constant", "indefinite"],
)
def test_it_agrees_with_a_dense_solve(made, scheme):
    grid = grid_for(made, scheme, 14)
    dense, found = solve_steady(made, grid), solve_krylov(made, grid, rtol=1e-12)
    size = np.abs(dense.values["u"]).max()
    np.testing.assert_allclose(found.values["u"], dense.values["u"], atol=1e-9 * size)
    assert found.statistics["residual"] < 1e-11


def test_a_constant_operator_is_solved_directly_around_a_periodic_axis():
    """u = sin(pi x) cos(3 y) decays as (pi^2 + 9) u; the mean operator is the operator itself."""

    def source(p, x):
        return (jnp.pi**2 + p) * jnp.sin(jnp.pi * x["x"]) * jnp.cos(3 * x["y"])

    domain = Domain(x=Axis(0, 1), y=Axis(0, 2 * jnp.pi, periodic=True))
    made = Around(source=Function(source, 9.0), domain=domain)
    grid = Grid(domain, {"x": (Chebyshev(), 17), "y": (Fourier(), 12)})
    found = solve_krylov(made, grid, rtol=1e-10)
    x = {a: np.asarray(c) for a, c in grid.coordinates.items()}
    exact = np.sin(np.pi * x["x"]) * np.cos(3 * x["y"])
    np.testing.assert_allclose(found.values["u"], exact, atol=1e-10)
    assert found.statistics["iterations"] <= 1


@equation
class Around(Poisson):
    """Poisson's equation with sides along x only."""

    def conditions(self):
        return [Dirichlet("x", u=0.0)]


FIELD = TwoPhase(GaussianField(sigma=1, tau=3, alpha=2, boundary="neumann"))


def darcy(n, rtol=1e-8):
    made = Poisson(source=1.0)
    grid = grid_for(made, FiniteDifference(2), n)
    family = Family(made, grid, parameters=("conductivity",))
    return Pairs(family, {"conductivity": FIELD}, Krylov(n=n, rtol=rtol), grid)


def test_iterations_depend_on_the_contrast_and_not_on_the_grid():
    """Contrast 4: the error falls by 3 an iteration at least, (sqrt 4 + 1)/(sqrt 4 - 1)."""
    for n in (17, 65):
        pairs = darcy(n)
        values = pairs.sample(jax.random.key(3), 1)
        member = pairs.family.member({name: v[0] for name, v in values.items()})
        found = solve_krylov(member, pairs.grid, rtol=1e-8)
        assert 8 <= found.statistics["iterations"] <= 18


def test_members_are_solved_side_by_side():
    pairs = darcy(16)
    values = pairs.sample(jax.random.key(0), 3)
    together = jax.jit(pairs.solve)(values)["u"]
    for conductivity, found in zip(values["conductivity"], together, strict=True):
        member = pairs.family.member({"conductivity": conductivity})
        alone = solve_steady(member, pairs.grid).values["u"]
        np.testing.assert_allclose(found, alone, atol=1e-7 * np.abs(alone).max())
    with precision("float32"):
        single = jax.jit(pairs.solve)({n: v.astype(jnp.float32) for n, v in values.items()})["u"]
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, together, atol=1e-5 * float(jnp.abs(together).max()))


@pytest.mark.parametrize("drift", [0.0, 2.0], ids=["symmetric", "not"])
def test_derivatives_with_respect_to_a_coefficient(drift):
    grid = grid_for(Transport(), FiniteDifference(2), 10)

    def size(p):
        made = Transport(k=Function(slow, p), drift=drift)
        return jnp.sum(solve_krylov(made, grid, rtol=1e-13).values["u"] ** 2)

    step, p = 1e-4, jnp.asarray(0.4)
    expected = (size(p + step) - size(p - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(size)(p), expected, rtol=1e-6)


def test_the_mean_operator_inverts_its_equation_and_halves_compose():
    """The inverse of an eigenfunction's image, and the dual norm as half of the inverse."""
    made = Poisson(conductivity=2.0, source=0.0)
    grid = grid_for(made, Chebyshev(), 18)
    mean = mean_operator(made, grid)
    x, y = (np.asarray(c) for c in grid.coordinates.values())
    wave = jnp.asarray(np.sin(np.pi * x) * np.sin(2 * np.pi * y))
    stiffness = 2 * 5 * np.pi**2
    np.testing.assert_allclose(mean.inverse(-stiffness * wave), wave, atol=1e-9)
    np.testing.assert_allclose(mean.inverse(wave, 0.5), wave / np.sqrt(stiffness), atol=1e-9)


@equation
class Free(Poisson):
    """Poisson's equation with a slope at one side."""

    def conditions(self):
        return [Dirichlet("x", u=0.0), Dirichlet("y", "lower", u=0.0), Neumann("y", "upper", u=0.0)]


@equation
class Plate(Poisson):
    """A fourth derivative."""

    def rhs(self, f):
        return {"u": f("u", x=4) + f("u", y=2)}


def test_what_it_does_not_serve_says_so():
    def message(made, n=12):
        with pytest.raises(PinnlabError) as told:
            solve_krylov(made, grid_for(made, FiniteDifference(2), n))
        return str(told.value)

    assert "both ends of axis 'y'" in message(Free())
    assert "up to the second" in message(Plate())
    assert "a steady equation of one variable" in message(Heat())
    assert "did not converge" in message(Transport(square=1.0))  # the equation is not linear
    nan = Poisson(conductivity=Function(lambda p, x: p / x["x"], 1.0))
    with pytest.raises(DivergenceError, match="finite numbers"):
        solve_krylov(nan, grid_for(nan, FiniteDifference(2), 12))
    other = grid_for(Helmholtz(), FiniteDifference(2), 12)
    with pytest.raises(PinnlabError, match="another domain than the one of Poisson"):
        solve_krylov(Poisson(), other)


def test_a_traced_solve_that_fails_is_unusable():
    grid = grid_for(Transport(), FiniteDifference(2), 12)
    solve = jax.jit(lambda square: solve_krylov(Transport(square=square), grid).values["u"])
    assert np.isnan(solve(1.0)).all()
    assert np.isfinite(solve(0.0)).all()


def test_settings_refine_and_coarsen():
    solver = Krylov(n=32)
    assert solver.refined().n == 48 and solver.refined().rtol < solver.rtol
    coarser = solver.coarsened()
    assert coarser.n == 24 and Krylov(n={"x": 12, "y": 40}).coarsened() is None
    exact = Poisson().exact
    errors = []
    for made in (coarser, solver, solver.refined()):
        found = made.solve(Poisson(), [])
        assert {type(s) for _, s, _ in found.grid.items} == {FiniteDifference}
        x = {a: jnp.asarray(c) for a, c in found.grid.coordinates.items()}
        errors.append(float(jnp.abs(found.values["u"] - exact(x)["u"]).max()))
    assert errors[0] > 1.5 * errors[1] > 1.5 * 1.5 * errors[2]
