"""Boundary conditions as closure: the end nodes follow from the values between them."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Dirichlet, Domain, Function, Neumann, Robin
from pinnlab.core.closure import close, close_rates, free
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid

DOMAIN = Domain(t=Axis(0, 1, "s"), x=Axis(0, 1.5, "m"), y=Axis(-1, 1, "m"))
SCHEMES = {"chebyshev": (Chebyshev(), 22), "differences": (FiniteDifference(6), 81)}
K = Function(lambda _, x: 1.5 + jnp.sin(x["x"] * x["y"]))


def u(x):
    return jnp.exp(-x["t"]) * jnp.sin(1.3 * x["x"] + 0.4) * jnp.cos(0.8 * x["y"])


def u_x(x):
    return jnp.exp(-x["t"]) * 1.3 * jnp.cos(1.3 * x["x"] + 0.4) * jnp.cos(0.8 * x["y"])


def u_y(x):
    return -0.8 * jnp.exp(-x["t"]) * jnp.sin(1.3 * x["x"] + 0.4) * jnp.sin(0.8 * x["y"])


SIDES = {
    "values": [Dirichlet("x", u=u), Dirichlet("y", u=u)],
    "slopes": [
        Neumann("x", "lower", u=lambda x: -u_x(x)),
        Neumann("x", "upper", u=u_x),
        Neumann("y", "lower", u=lambda x: -u_y(x)),
        Neumann("y", "upper", u=u_y),
    ],
    "mixed": [
        Robin("x", "lower", a=2.0, b=K, u=lambda x: 2 * u(x) - K.at(x) * u_x(x)),
        Dirichlet("x", "upper", u=u),
        Robin("y", "lower", a=K, b=0.5, u=lambda x: K.at(x) * u(x) - 0.5 * u_y(x)),
        Neumann("y", "upper", u=u_y),
    ],
}


def filled(grid, time):
    x = {axis: jnp.asarray(c) for axis, c in grid.coordinates.items()}
    return u({**x, "t": time})


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sides", SIDES)
def test_ends_and_corners_are_restored_from_inside(sides, scheme):
    grid = Grid(DOMAIN, {"x": SCHEMES[scheme], "y": SCHEMES[scheme]})
    time = jnp.asarray(0.4)
    exact = filled(grid, time)
    spoiled = jnp.full_like(exact, 99.0).at[1:-1, 1:-1].set(exact[1:-1, 1:-1])
    closed = close(grid, SIDES[sides], {"u": spoiled}, time)["u"]
    np.testing.assert_allclose(closed, exact, atol=1e-9)


def test_rates_follow_the_conditions_in_time():
    """u_t = -u at the ends as well, from the moving boundary values and the rates inside."""
    grid = Grid(DOMAIN, {"x": SCHEMES["chebyshev"], "y": SCHEMES["chebyshev"]})
    time = jnp.asarray(0.4)
    exact = filled(grid, time)
    inside = jnp.zeros_like(exact).at[1:-1, 1:-1].set(-exact[1:-1, 1:-1])
    rates = close_rates(grid, SIDES["mixed"], {"u": exact}, {"u": inside}, time)["u"]
    np.testing.assert_allclose(rates, -exact, atol=1e-9)


def test_sides_without_a_condition_keep_their_values():
    domain = Domain(x=Axis(0, 1), y=Axis(0, 1, periodic=True))
    grid = Grid(domain, {"x": (FiniteDifference(2), 8), "y": (Fourier(), 4)})
    values = {"u": jnp.ones(grid.shape), "v": jnp.ones(grid.shape)}
    closed = close(grid, [Dirichlet("x", "upper", u=3.0)], values)
    np.testing.assert_array_equal(closed["v"], 1.0)
    np.testing.assert_array_equal(closed["u"][:-1], 1.0)
    np.testing.assert_array_equal(closed["u"][-1], 3.0)
    np.testing.assert_array_equal(
        np.argwhere(~free(grid, [Dirichlet("x", "upper", u=3.0)], "u"))[:, 0], 7
    )
