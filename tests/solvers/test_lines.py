"""Method of lines against manufactured and exact solutions, and what it must refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Function,
    Initial,
    Neumann,
    PinnlabError,
    Robin,
    SineLatitude,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.errors import DivergenceError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Grid
from pinnlab.equations.base import Equation, equation
from pinnlab.solvers.discretisation import GridDiscretisation
from pinnlab.solvers.lines import solve_lines
from pinnlab.solvers.stiffness import is_stiff, spectral_radius

KINDS = ("value", "flux", "transfer")


def temperature(x):
    return jnp.exp(-x["t"]) * jnp.sin(2 * x["z"] + 0.5) + 0.3 * x["z"] ** 2


def gradient(x):
    return 2 * jnp.exp(-x["t"]) * jnp.cos(2 * x["z"] + 0.5) + 0.6 * x["z"]


def conductivity(x):
    return 1 + 0.5 * jnp.sin(3 * x["z"])


def source(x):
    """u_t - (k u_z)_z of the manufactured temperature."""
    wave = jnp.exp(-x["t"]) * jnp.sin(2 * x["z"] + 0.5)
    slope = 1.5 * jnp.cos(3 * x["z"])
    return -wave - slope * gradient(x) - conductivity(x) * (0.6 - 4 * wave)


@equation
class Heat(Equation):
    """The same heat problem three times: with given values, fluxes, and heat transfer, all of
    them changing in time."""

    k: Coefficient = parameter(Function(lambda _, x: conductivity(x)), "m2 s-1")
    domain: Domain = Domain(t=Axis(0, 0.2, "s"), z=Axis(0, 1, "m"))
    variables: Variables = Variables(**{kind: Variable(kind, "K") for kind in KINDS})

    def rhs(self, f):
        made = source(f.coordinates)
        return {n: f(lambda f, n=n: f(self.k) * f(n, z=1), z=1) + made for n in KINDS}

    def conditions(self):
        def outward(sign):
            return lambda x: sign * conductivity(x) * gradient(x)

        conditions = [
            Initial(**dict.fromkeys(KINDS, temperature)),
            Dirichlet("z", value=temperature),
        ]
        for side, sign in (("lower", -1.0), ("upper", 1.0)):
            wall = outward(sign)
            both = lambda x, wall=wall: 2.0 * temperature(x) + wall(x)  # noqa: E731
            conditions += [
                Robin("z", side, a=0.0, b=self.k, flux=wall),
                Robin("z", side, a=2.0, b=self.k, transfer=both),
            ]
        return conditions


def heat_errors(scheme, n, **how):
    heat = Heat()
    grid = Grid(heat.domain, {"z": (scheme, n)})
    found = solve_lines(heat, grid, [0.1, 0.2], rtol=1e-9, **how)
    exact = temperature({"t": 0.2, "z": grid.nodes["z"]})
    return [float(np.abs(found.values[kind][-1] - exact).max()) for kind in KINDS]


def test_heat_converges_with_the_order_for_every_side():
    """Other orders are measured on steady problems, which compile faster."""
    counts = (21, 31, 46)
    errors = [heat_errors(FiniteDifference(4), n, solver="explicit") for n in counts]
    slopes = -np.diff(np.log(errors), axis=0) / np.diff(np.log(np.array(counts) - 1.0))[:, None]
    assert slopes[-1].min() > 3.4 and slopes[-1, 0] > 3.9, slopes


def test_heat_is_solved_to_the_tolerance_in_time_on_a_spectral_grid():
    assert max(heat_errors(Chebyshev(), 16, solver="implicit")) < 1e-7


@equation
class Wave(Equation):
    """u = sin(k (x - t)) runs through the domain; friction, undone by a force, asks for u_t."""

    friction: Coefficient = parameter(0.5, "s-1")
    domain: Domain = Domain(t=Axis(0, 2, "s"), x=Axis(0, 1, "m"))
    variables: Variables = Variables(u=Variable("displacement", "m", order=2))

    def rhs(self, f):
        undone = f("u", t=1) - self.rate(f.coordinates)
        return {"u": f("u", x=2) - self.friction * undone}

    def conditions(self):
        return [Initial(u=self.value), Initial(1, u=self.rate), Dirichlet("x", u=self.value)]

    def value(self, x):
        return jnp.sin(3 * (x["x"] - x["t"]))

    def rate(self, x):
        return -3 * jnp.cos(3 * (x["x"] - x["t"]))


@pytest.mark.parametrize(
    ("scheme", "n", "tolerance"), [(Chebyshev(), 20, 1e-8), (FiniteDifference(6), 41, 1e-6)]
)
def test_a_wave_through_moving_ends(scheme, n, tolerance):
    wave, times = Wave(), np.linspace(0, 2, 5)
    found = solve_lines(wave, Grid(wave.domain, {"x": (scheme, n)}), times, rtol=1e-9)
    x = {"t": times[:, None], "x": found.grid.nodes["x"][None]}
    assert np.abs(found.values["u"] - wave.value(x)).max() < tolerance
    assert np.abs(found.rates["u"] - wave.rate(x)).max() < 30 * tolerance


@equation
class Spring(Equation):
    """An oscillator of order 2 and a decay of order 1: no space at all."""

    k: Coefficient = parameter(4.0, "s-2")
    domain: Domain = Domain(t=Axis(1, 3, "s"))
    variables: Variables = Variables(x=Variable("x", "m", order=2), n=Variable("n"))

    def rhs(self, f):
        return {"x": -self.k * f("x"), "n": -2.0 * f.coordinates["t"] * f("n")}

    def conditions(self):
        return [Initial(x=1.0, n=1.0), Initial(1, x=0.0)]


def spring(k, times=(1.0, 2.0, 3.0), **how):
    equation = Spring(k=k)
    return solve_lines(equation, Grid(equation.domain, {}), times, **how)


def test_an_ordinary_differential_equation():
    times = np.linspace(1, 3, 41)
    found = spring(4.0, times)
    np.testing.assert_allclose(found("x", t=times), np.cos(2 * (times - 1)), atol=1e-7)
    np.testing.assert_allclose(found("n", t=times), np.exp(1 - times**2), atol=1e-7)
    assert found("x", t=1.234) == pytest.approx(np.cos(0.468), abs=1e-6)
    assert found.statistics["solver"] == "Dopri8"


def test_a_batch_of_parameters_in_one_compiled_call():
    ks = jnp.array([1.0, 4.0, 9.0])
    found = jax.jit(jax.vmap(lambda k: spring(k)))(ks)
    np.testing.assert_allclose(found.values["x"][:, -1], np.cos(2 * np.sqrt(ks)), atol=1e-7)


@equation
class Diffusion(Equation):
    """With zero flux at the walls, or at poles that need no condition."""

    k: Coefficient = parameter(0.3, "m2 s-1")
    walls: bool = True
    domain: Domain = Domain(t=Axis(0, 1, "s"), x=Axis(-1, 1, "m"))
    variables: Variables = Variables(u=Variable("u", "K"))

    def rhs(self, f):
        return {"u": f.laplacian("u", lambda f: self.k * (1 + 0.1 * f("u") ** 2))}

    def conditions(self):
        start = Initial(u=lambda x: 1 + x["x"] + jnp.cos(3 * x["x"]))
        return [start, Neumann("x", u=0.0)] if self.walls else [start]


@pytest.mark.parametrize("walls", [True, False], ids=["walls", "poles"])
def test_heat_is_conserved_without_flux(walls):
    """Nonlinear conductivity, on a line with insulated walls and on a sphere's sine latitude."""
    made = Diffusion(walls=walls)
    if not walls:
        made = made.replace(domain=Domain(SineLatitude(), t=Axis(0, 1, "s"), x=Axis(-1, 1)))
    found = solve_lines(made, Grid(made.domain, {"x": (Chebyshev(), 32)}), [0.0, 1.0])
    first, last = (found.grid.weights * found.values["u"]).sum(axis=1)
    # The start does not meet the walls' condition, so that the grid cannot follow it at once.
    assert last == pytest.approx(first, abs=2e-3 if walls else 1e-7)
    assert np.ptp(found.values["u"][1]) < 0.6 * np.ptp(found.values["u"][0])


@pytest.mark.parametrize("transform", [jax.grad, lambda f: lambda k: jax.jvp(f, (k,), (1.0,))[1]])
def test_the_solution_is_differentiable(transform):
    def final(k):
        made = Diffusion(k=k)
        how = {"solver": "explicit", "adjoint": "reverse" if transform is jax.grad else "forward"}
        grid = Grid(made.domain, {"x": (FiniteDifference(2), 8)})
        return jnp.sum(solve_lines(made, grid, [0.5], rtol=1e-10, **how).values["u"][-1] ** 2)

    numeric = (final(0.3001) - final(0.2999)) / 2e-4
    assert transform(final)(0.3) == pytest.approx(float(numeric), rel=1e-6)


def test_stiffness_chooses_the_solver():
    """The Jacobian of u_t = k u_xx on a Chebyshev grid grows with n^4, that of a wave with n^2."""
    heat, radius = Diffusion(), {}
    for n in (16, 32):
        basis = GridDiscretisation(Grid(heat.domain, {"x": (Chebyshev(), n)}))
        state = basis.initial(heat)
        radius[n] = float(spectral_radius(heat, state, basis))
        assert is_stiff(heat, basis, state, 100.0)
        assert not is_stiff(heat, basis, state, 1e-3)
    assert 3.0 < np.log2(radius[32] / radius[16]) < 5.0
    wave = Wave()
    basis = GridDiscretisation(Grid(wave.domain, {"x": (Chebyshev(), 32)}))
    assert not is_stiff(wave, basis, basis.initial(wave), 2.0)


@equation
class Blowup(Equation):
    domain: Domain = Domain(t=Axis(0, 2, "s"))
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        return {"u": f("u") ** 2}

    def conditions(self):
        return [Initial(u=1.0)]


@equation
class Unstarted(Blowup):
    def conditions(self):
        return []


@pytest.mark.parametrize(
    ("made", "times", "how", "words"),
    [
        (Blowup(), [2.0], {}, ["Blowup", "Dopri8", "t=1 of 2", "finite"]),
        (Blowup(), [0.9], {"max_steps": 5}, ["Blowup", "max_steps", "implicit"]),
        (Blowup(), [1.0, 0.5], {}, ["increase", "t=0"]),
        (Blowup(), [-1.0], {}, ["increase", "t=0"]),
        (Blowup(), [0.5], {"solver": "magic"}, ["solver 'magic'", "auto, explicit, implicit"]),
        (Unstarted(), [0.5], {}, ["no initial condition on 'u'", "Initial(u=...)"]),
    ],
    ids=["diverges", "steps", "order", "before", "solver", "initial"],
)
def test_what_goes_wrong_is_named(made, times, how, words):
    with pytest.raises(PinnlabError) as error:
        solve_lines(made, Grid(made.domain, {}), times, **how)
    assert all(word in str(error.value) for word in words)
    assert isinstance(error.value, DivergenceError) == ("finite" in words)


def test_a_foreign_grid_is_refused():
    with pytest.raises(PinnlabError, match="another domain than the one of Wave"):
        solve_lines(Wave(), Grid(Spring().domain, {}), [1.0])
