"""Newton's method for steady problems, on two axes and with every kind of side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Function,
    Initial,
    Neumann,
    PinnlabError,
    Profile,
    Robin,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.equations.base import Equation, equation
from pinnlab.solvers.floor import self_convergence
from pinnlab.solvers.steady import solve_steady

POTENTIAL = Variables(u=Variable("potential", order=0))


def u(x):
    return jnp.sin(2 * x["x"] + 0.3) * jnp.exp(0.5 * x["y"])


def u_x(x):
    return 2 * jnp.cos(2 * x["x"] + 0.3) * jnp.exp(0.5 * x["y"])


def u_y(x):
    return 0.5 * u(x)


FREE = [
    Neumann("x", "lower", u=lambda x: -u_x(x)),
    Neumann("x", "upper", u=u_x),
    Neumann("y", "lower", u=lambda x: -u_y(x)),
    Neumann("y", "upper", u=u_y),
]
SIDES = {
    "values": [Dirichlet("x", u=u), Dirichlet("y", u=u)],
    "slopes": [*FREE[:3], Dirichlet("y", "upper", u=u)],
    "transfer": [
        *FREE[2:],
        Robin("x", "lower", a=3.0, b=2.0, u=lambda x: 3 * u(x) - 2 * u_x(x)),
        Robin("x", "upper", a=2.0, b=1.0, u=lambda x: 2 * u(x) + u_x(x)),
    ],
    "free": FREE,
}


@equation
class Poisson(Equation):
    sides: str = "values"
    domain: Domain = Domain(x=Axis(0, 1, "m"), y=Axis(-1, 1, "m"))
    variables: Variables = POTENTIAL

    def rhs(self, f):
        return {"u": f.laplacian("u") + (4 - 0.25) * u(f.coordinates)}

    def conditions(self):
        return SIDES[self.sides]


def poisson_error(sides, scheme, n):
    made = Poisson(sides=sides)
    found = solve_steady(made, Grid(made.domain, {"x": (scheme, n), "y": (scheme, n)}))
    exact = np.asarray(u({a: jnp.asarray(c) for a, c in found.grid.coordinates.items()}))
    assert found.statistics["iterations"] == 1
    return np.abs(found.values["u"] - exact).max()


@pytest.mark.parametrize("sides", ["values", "slopes", "transfer"])
def test_poisson_on_a_spectral_grid(sides):
    assert poisson_error(sides, Chebyshev(), 16) < 1e-10


KINDS = ("value", "flux", "transfer")


def conductivity(z):
    return 1 + 0.5 * jnp.sin(3 * z)


def flow(z):
    """k T' of T = sin(4 z + 1/2)."""
    return conductivity(z) * 4 * jnp.cos(4 * z + 0.5)


@equation
class Wall(Equation):
    """A wall of varying conductivity, three times: given values, fluxes, heat transfer."""

    domain: Domain = Domain(z=Axis(0, 1, "m"))
    variables: Variables = Variables(**{kind: Variable(kind, "K", order=0) for kind in KINDS})

    def rhs(self, f):
        z = f.coordinates["z"]
        made = jax.jvp(flow, (z,), (jnp.ones_like(z),))[1]
        conduction = Function(lambda _, x: conductivity(x["z"]))
        return {n: f.laplacian(n, conduction) - made for n in KINDS}

    def conditions(self):
        def k(x):
            return conductivity(x["z"])

        def t(x):
            return jnp.sin(4 * x["z"] + 0.5)

        return [
            Dirichlet("z", value=t),
            Robin("z", "lower", a=0.0, b=k, flux=lambda x: -flow(x["z"])),
            Robin("z", "upper", a=0.1, b=k, flux=lambda x: 0.1 * t(x) + flow(x["z"])),
            Robin("z", "lower", a=2.0, b=k, transfer=lambda x: 2 * t(x) - flow(x["z"])),
            Robin("z", "upper", a=3.0, b=k, transfer=lambda x: 3 * t(x) + flow(x["z"])),
        ]


@pytest.mark.parametrize(("accuracy", "counts"), [(2, (21, 41, 81)), (6, (41, 61, 91))])
def test_conduction_converges_with_the_order_for_every_side(accuracy, counts):
    errors = []
    for n in counts:
        found = solve_steady(Wall(), Grid(Wall().domain, {"z": (FiniteDifference(accuracy), n)}))
        exact = np.sin(4 * found.grid.nodes["z"] + 0.5)
        errors.append([np.abs(found.values[kind] - exact).max() for kind in KINDS])
    steps = np.diff(np.log(np.array(counts) - 1.0))[:, None]
    value, *others = (-np.diff(np.log(errors), axis=0) / steps)[-1]
    assert value > accuracy - 0.4
    # With fluxes accuracy 6 gives 5: its closures are of order 4 (see FiniteDifference).
    assert min(others) > min(accuracy, 5) - 0.5


def test_what_cannot_be_solved_is_named():
    made = Poisson(sides="free")
    with pytest.raises(PinnlabError, match=r"no unique steady solution.*Dirichlet or Robin"):
        solve_steady(made, Grid(made.domain, {a: (Chebyshev(), 12) for a in "xy"}))
    with pytest.raises(PinnlabError, match=r"6400 unknowns on the grid \(80, 80\).*4096"):
        solve_steady(made, Grid(made.domain, {a: (Chebyshev(), 80) for a in "xy"}))
    with pytest.raises(PinnlabError, match="did not converge in 50 iterations"):
        bratu(4.0)


@equation
class Bratu(Equation):
    strength: Coefficient = parameter(1.0, "1")
    domain: Domain = Domain(x=Axis(0, 1))
    variables: Variables = POTENTIAL

    def rhs(self, f):
        return {"u": f("u", x=2) + self.strength * jnp.exp(f("u"))}

    def conditions(self):
        return [Dirichlet("x", u=0.0)]


def bratu(strength):
    return solve_steady(Bratu(strength=strength), Grid(Bratu().domain, {"x": (Chebyshev(), 24)}))


def test_newton_converges_on_bratus_problem():
    """u = -2 log(cosh((x - 1/2) q/2) / cosh(q/4)), q = sqrt(2) cosh(q/4)."""
    q = brentq(lambda q: q - np.sqrt(2) * np.cosh(q / 4), 0, 3)
    x, found = np.linspace(0, 1, 9), bratu(1.0)
    exact = -2 * np.log(np.cosh((x - 0.5) * q / 2) / np.cosh(q / 4))
    np.testing.assert_allclose(found("u", x=x), exact, atol=1e-12)
    assert 2 <= found.statistics["iterations"] <= 4


def test_the_solution_is_differentiable_both_ways():
    def middle(strength):
        return bratu(strength)("u", x=0.5)

    numeric = (middle(1.001) - middle(0.999)) / 2e-3
    assert jax.grad(middle)(1.0) == pytest.approx(numeric, rel=1e-5)
    assert jax.jvp(middle, (1.0,), (1.0,))[1] == pytest.approx(numeric, rel=1e-5)


@equation
class Rod(Equation):
    """An evolution equation in SI whose rest is known: q = -k T' is the same everywhere."""

    k: Coefficient = parameter(Profile("z", (0.0, 0.3), np.array([0.5, 1.5])), "W m-1 K-1")
    domain: Domain = Domain(t=Axis(0, 1e6, "s"), z=Axis(0, 0.3, "m"))
    variables: Variables = Variables(T=Variable("temperature", "K", scale=10.0, offset=290.0))

    def rhs(self, f):
        return {"T": f.laplacian("T", self.k) / 2e6}

    def conditions(self):
        walls = [Dirichlet("z", "lower", T=280.0), Robin("z", "upper", a=0.0, b=self.k, T=12.0)]
        return [Initial(T=290.0), *walls]


@pytest.mark.parametrize(
    ("scheme", "n", "tolerance"), [(Chebyshev(), 24, 1e-9), (FiniteDifference(6), 61, 1e-6)]
)
def test_an_evolution_equation_at_rest(scheme, n, tolerance):
    """k = 0.5 + z/0.3, 12 W m-2 through the rod: T = 280 + 12 * 0.3 log(k/0.5)."""
    found = solve_steady(Rod(), Grid(Rod().domain, {"z": (scheme, n)}))
    z = np.linspace(0, 0.3, 7)
    exact = 280 + 12 * 0.3 * np.log((0.5 + z / 0.3) / 0.5)
    np.testing.assert_allclose(found("T", z=z), exact, atol=tolerance)


@equation
class Wavy(Equation):
    shift: Coefficient = parameter(0.0, "1")
    domain: Domain = Domain(x=Axis(0, 2, periodic=True), y=Axis(0, 1, periodic=True))
    variables: Variables = POTENTIAL

    def rhs(self, f):
        x = f.coordinates
        made = jnp.sin(np.pi * x["x"]) * jnp.cos(2 * np.pi * x["y"])
        return {"u": f.laplacian("u") + made + self.shift}


def test_a_periodic_problem_of_any_size_is_solved_by_its_symbol():
    grid = Grid(Wavy().domain, {"x": (Fourier(), 128), "y": (Fourier(), 96)})
    found, x = solve_steady(Wavy(), grid), grid.coordinates
    exact = np.sin(np.pi * x["x"]) * np.cos(2 * np.pi * x["y"]) / (5 * np.pi**2)
    np.testing.assert_allclose(found.values["u"], exact, atol=1e-13)
    with pytest.raises(PinnlabError, match=r"no periodic solution.*mean"):
        solve_steady(Wavy(shift=1.0), grid)


def test_self_convergence_measures_the_error():
    """For a second-order scheme and half the spacing the change is three quarters of the error."""
    made = Poisson()

    def solve(n):
        return solve_steady(made, Grid(made.domain, {a: (FiniteDifference(2), n) for a in "xy"}))

    coords = {"x": np.linspace(0, 1, 8), "y": np.linspace(-1, 1, 9)}
    fine, floor = self_convergence(solve, 11, coords, factor=21 / 11)
    exact = np.asarray(u({"x": coords["x"][:, None], "y": coords["y"][None]}))
    coarse = solve(11).on(coords)["u"]
    error = np.linalg.norm(coarse - exact) / np.linalg.norm(exact)
    assert fine.grid.shape == (21, 21)
    assert floor["u"] == pytest.approx(0.75 * error, rel=0.05)
