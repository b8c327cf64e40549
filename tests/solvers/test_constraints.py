"""Variables of order 0 inside an evolution: by Fourier symbol, by matrix, and refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Initial,
    PinnlabError,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.equations.base import Equation, equation
from pinnlab.solvers.lines import solve_lines


@equation
class Vorticity(Equation):
    nu: Coefficient = parameter(0.01, "m2 s-1")
    domain: Domain = Domain(
        t=Axis(0, 1, "s"),
        x=Axis(0, 2 * np.pi, "m", periodic=True),
        y=Axis(0, 2 * np.pi, "m", periodic=True),
    )
    variables: Variables = Variables(w=Variable("vorticity"), psi=Variable("stream", order=0))

    def rhs(self, f):
        carried = f("psi", y=1) * f("w", x=1) - f("psi", x=1) * f("w", y=1)
        return {
            "w": f(self.nu) * f.laplacian("w") - carried,
            "psi": f.laplacian("psi") + f("w"),
        }

    def conditions(self):
        return [Initial(w=lambda x: 2 * jnp.cos(x["x"]) * jnp.cos(x["y"]))]


def test_a_stream_function_is_solved_for_by_its_symbol():
    """Taylor-Green vortices decay as exp(-2 nu t)."""
    made = Vorticity()
    grid = Grid(made.domain, {"x": (Fourier(dealias=True), 16), "y": (Fourier(), 16)})
    found = solve_lines(made, grid, [0.0, 1.0])
    x = grid.coordinates
    exact = np.exp(-0.02) * np.cos(x["x"]) * np.cos(x["y"])
    np.testing.assert_allclose(found.values["w"][-1], 2 * exact, atol=1e-10)
    np.testing.assert_allclose(found.values["psi"][-1], exact, atol=1e-10)


@equation
class Filtered(Equation):
    """u_t = p_xx with (p - a p_xx) m = u m, p = 0 at both ends; m may depend on the state."""

    power: float = 0.0
    cubic: float = 0.0
    domain: Domain = Domain(t=Axis(0, 1, "s"), x=Axis(0, 1, "m"))
    variables: Variables = Variables(u=Variable("u"), p=Variable("p", order=0))

    def rhs(self, f):
        m = (1 + f("u") ** 2) ** self.power
        zero = f("p") + self.cubic * f("p") ** 3 - 0.1 * f("p", x=2) - f("u")
        return {"u": f("p", x=2), "p": m * zero}

    def conditions(self):
        return [Initial(u=lambda x: jnp.sin(jnp.pi * x["x"])), Dirichlet("x", p=0.0)]


@pytest.mark.parametrize("power", [0.0, 1.0], ids=["constant", "varying"])
def test_a_constraint_between_walls_is_solved_for_by_its_matrix(power):
    made = Filtered(power=power)
    found = solve_lines(made, Grid(made.domain, {"x": (Chebyshev(), 16)}), [0.0, 1.0])
    x, part = found.grid.nodes["x"], 1 + 0.1 * np.pi**2
    exact = np.exp(-(np.pi**2) / part) * np.sin(np.pi * x)
    np.testing.assert_allclose(found.values["u"][-1], exact, atol=1e-8)
    np.testing.assert_allclose(found.values["p"][-1], exact / part, atol=1e-8)


def test_what_cannot_be_solved_for_is_refused():
    made = Filtered(cubic=1.0)
    with pytest.raises(PinnlabError, match=r"'p' in Filtered\.rhs is not linear"):
        solve_lines(made, Grid(made.domain, {"x": (Chebyshev(), 12)}), [1.0])
    with pytest.raises(PinnlabError, match="6000 unknowns"):
        solve_lines(made, Grid(made.domain, {"x": (FiniteDifference(2), 6000)}), [1.0])
