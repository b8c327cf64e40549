"""Method of lines on frozen features against exact solutions, with every kind of side."""

import math

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
    parameter,
)
from pinnlab.core.featurefield import RandomFeatures
from pinnlab.core.grid import Chebyshev, Fourier, Grid
from pinnlab.equations.base import equation
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.vorticity import Vorticity
from pinnlab.equations.canonical.wave import Wave
from pinnlab.solvers.features import FeatureDiscretisation
from pinnlab.solvers.lines import solve_lines


def basis_of(problem, n, **settings):
    domain = problem.domain
    schemes = {a: Fourier() if domain[a].periodic else Chebyshev() for a in domain.space}
    grid = Grid(domain, {a: (s, n) for a, s in schemes.items()})
    cutoff = settings.pop("cutoff", 1e-12)
    return FeatureDiscretisation(grid, RandomFeatures(domain, **settings), cutoff)


def largest_error(problem, basis, solver="implicit", times=(0.5, 1.0)):
    """The largest error at *times* between the nodes."""
    solution = solve_lines(problem, basis, times, solver=solver)
    domain = problem.domain
    points = {a: np.linspace(domain[a].lower, domain[a].upper, 23) for a in domain.space}
    found = solution.on({"t": np.asarray(times), **points})
    places = [np.asarray(times), *points.values()]
    mesh = np.meshgrid(*places, indexing="ij")
    x = {a: jnp.asarray(m) for a, m in zip(domain.axes, mesh, strict=True)}
    right = problem.exact(x)
    return max(np.max(np.abs(found[name] - right[name])) for name in right)


def test_heat():
    assert largest_error(Heat(), basis_of(Heat(), 81, count=60), "auto") < 1e-8


def test_burgers():
    problem = Burgers(nu=0.05)
    assert largest_error(problem, basis_of(problem, 161)) < 1e-7


def test_more_features_are_more_accurate():
    problem = Burgers(nu=0.05)
    errors = [
        largest_error(problem, basis_of(problem, 161, count=count, cutoff=1e-8))
        for count in (20, 40)
    ]
    assert errors[0] > 20 * errors[1], errors


@equation
class Slab(Heat):
    """Heat with sides of choice; u = sin(x + 0.3) exp(-kappa t) + x t + t^2 with its source."""

    diffusivity: Coefficient = parameter(0.4, "1")
    kind: str = "Neumann"
    domain: Domain = Domain(t=Axis(0, 1), x=Axis(0, 2))

    def rhs(self, f):
        x, t = f.coordinates["x"], f.coordinates["t"]
        return {"u": f.laplacian("u", self.diffusivity) + x + 2.0 * t}

    def value(self, x):
        u = jnp.sin(x["x"] + 0.3) * jnp.exp(-self.diffusivity * x["t"])
        return u + x["x"] * x["t"] + x["t"] ** 2

    def flux(self, x, outward):
        decay = jnp.exp(-self.diffusivity * x["t"])
        return outward * (jnp.cos(x["x"] + 0.3) * decay + x["t"])

    def conditions(self):
        sides = {
            "Dirichlet": [Dirichlet("x", u=self.value)],
            "Neumann": [
                Neumann("x", "lower", u=lambda x: self.flux(x, -1.0)),
                Neumann("x", "upper", u=lambda x: self.flux(x, 1.0)),
            ],
            "Robin": [
                Robin(
                    "x",
                    "lower",
                    a=2.0,
                    b=0.5,
                    u=lambda x: 2.0 * self.value(x) + 0.5 * self.flux(x, -1.0),
                ),
                Dirichlet("x", "upper", u=self.value),
            ],
        }
        return [Initial(u=lambda x: jnp.sin(x["x"] + 0.3)), *sides[self.kind]]

    def exact(self, x):
        return {"u": self.value(x)}


@pytest.mark.parametrize("kind", ["Dirichlet", "Neumann", "Robin"])
def test_sides_that_change_with_time(kind):
    problem = Slab(kind=kind)
    assert largest_error(problem, basis_of(problem, 61, count=50, slope=5.0)) < 1e-7


def test_wave_keeps_value_and_rate():
    problem = Wave()
    assert largest_error(problem, basis_of(problem, 81, count=60), "explicit") < 1e-7


def test_heat_in_the_plane_with_one_periodic_axis():
    domain = Domain(t=Axis(0, 1), x=Axis(0, 1), y=Axis(0, 2, periodic=True))
    problem = Heat(domain=domain)
    basis = basis_of(problem, 24, count=150, slope=1.0)
    assert largest_error(problem, basis) < 1e-6


def test_flux_of_a_varying_conductivity():
    """u = sin(pi x) e^-t solves u_t = (k u_x)_x + s with the source by hand."""

    @equation
    class Rod(Heat):
        def rhs(self, f):
            x = f.coordinates["x"]
            p, decay = jnp.pi, jnp.exp(-f.coordinates["t"])
            spread = p * jnp.cos(p * x) - (1 + x) * p**2 * jnp.sin(p * x)
            source = -(jnp.sin(p * x) + spread) * decay
            return {"u": f.laplacian("u", self.diffusivity) + source}

        def exact(self, x):
            return {"u": jnp.sin(jnp.pi * x["x"]) * jnp.exp(-x["t"])}

    problem = Rod(diffusivity=Function(lambda _, x: 1.0 + x["x"]))
    assert largest_error(problem, basis_of(problem, 61, count=40, slope=5.0)) < 1e-7


def test_sensitivity_to_the_diffusivity():
    problem = Heat()
    basis = basis_of(problem, 41, count=30, slope=4.0)

    def middle(k):
        solution = solve_lines(
            problem.replace(diffusivity=k), basis, [1.0], solver="implicit", adjoint="forward"
        )
        return solution.values["u"][0, 20]

    _, slope = jax.jvp(middle, (jnp.asarray(0.1),), (jnp.asarray(1.0),))
    np.testing.assert_allclose(slope, -(math.pi**2) * math.exp(-0.1 * math.pi**2), rtol=1e-5)


def test_messages():
    with pytest.raises(PinnlabError, match="order 0"):
        solve_lines(Vorticity(), basis_of(Vorticity(), 8), [1.0])
    with pytest.raises(PinnlabError, match="points are needed"):
        solve_lines(Heat(), basis_of(Heat(), 20), [1.0])

    @equation
    class Cooled(Heat):
        h: Coefficient = parameter(2.0, "1")

        def conditions(self):
            return [Initial(u=self.start), Robin("x", a=self.h, b=1.0, u=0.0)]

    cooled = Cooled(h=Function(lambda _, x: 1.0))
    with pytest.raises(PinnlabError, match="no plain numbers"):
        solve_lines(cooled, basis_of(cooled, 61), [1.0])
