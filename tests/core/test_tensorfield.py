"""TensorField: derivatives of sums of products against those written down by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.tensorfield import TensorField

BOX = Domain(t=Axis(0, 1), x=Axis(-1, 1), y=Axis(0, 2))
COUNTS = {"t": 3, "x": 4, "y": 2}
# u = sum_r prod_i sin(w x_i + p), v = its factors' negative squares of frequency; rank two
WAVES = {"t": (1.3, 0.4), "x": (0.7, 2.0), "y": (2.1, 0.9)}
PHASES = {"t": (0.2, 1.0), "x": (0.5, 0.3), "y": (1.1, 0.7)}


def mesh():
    random = np.random.default_rng(0)
    columns = [random.uniform(BOX[a].lower, BOX[a].upper, n) for a, n in COUNTS.items()]
    return {a: jnp.asarray(c) for a, c in zip(COUNTS, np.ix_(*columns), strict=True)}


def factor(axis):
    wave, phase = jnp.asarray(WAVES[axis]), jnp.asarray(PHASES[axis])
    return lambda s: {"u": jnp.sin(wave * s + phase), "v": 2.0 * jnp.cos(wave * s)}


def given(x):
    return {"u": x["x"] ** 3 * x["t"] + x["y"], "v": 0.0}


def field(places=None, model=given, slots=()):
    factors = {axis: factor(axis) for axis in BOX}
    return TensorField(factors, places or mesh(), BOX, ("u", "v"), model, slots)


def by_hand(places, **orders):
    """Each sine shifts by a quarter turn; the given part is a polynomial."""
    total = 0.0
    for r in range(2):
        product = 1.0
        for axis in BOX:
            k, w = orders.get(axis, 0), WAVES[axis][r]
            shift = PHASES[axis][r] + k * np.pi / 2
            product = product * w**k * np.sin(w * np.asarray(places[axis]) + shift)
        total = total + product
    i, j, k = (orders.get(axis, 0) for axis in BOX)
    t, x, y = (np.asarray(places[axis]) for axis in BOX)
    cube = (x**3, 3 * x**2, 6 * x, 6 + 0 * x, 0 * x)[j] * (t, 1 + 0 * t, 0 * t)[min(i, 2)]
    line = (y, 1 + 0 * y)[k] if k < 2 and not i + j else 0.0
    return total + (cube if not k else 0.0) + line


ORDERS = [
    {}, {"t": 1}, {"x": 2}, {"y": 1}, {"x": 4}, {"x": 1, "y": 1}, {"t": 1, "x": 3},
    {"t": 2, "y": 2},
]  # fmt: skip


@pytest.mark.parametrize("slots", [(), [("u", (("x", 4),)), ("u", (("t", 1),))]])
def test_derivatives_are_those_of_the_products(slots):
    @jax.jit
    def asked(places):
        f = field(places, slots=slots)
        return [f("u", **orders) for orders in ORDERS]

    for orders, found in zip(ORDERS, asked(mesh()), strict=True):
        assert found.shape == (3, 4, 2)
        expected = by_hand(mesh(), **orders)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12, err_msg=str(orders))


def test_each_variable_has_its_own_factors():
    x = {axis: np.asarray(c) for axis, c in mesh().items()}
    expected = 8.0 * sum(math.prod(np.cos(WAVES[a][r] * x[a]) for a in BOX) for r in range(2))
    np.testing.assert_allclose(field()("v"), expected, rtol=1e-13)


def test_the_derivative_of_a_function_of_the_field_goes_along_its_axis():
    """(x y u_x)_x = y u_x + x y u_xx and its derivative along y, on every point of the tensor."""

    @jax.jit
    def asked(places):
        f = field(places)
        flux = lambda f: f.coordinates["x"] * f.coordinates["y"] * f("u", x=1)  # noqa: E731
        return f(flux, x=1), f(flux, x=1, y=1), f(lambda f: f.coordinates["t"] ** 2, t=1)

    places = mesh()
    x, y = (np.asarray(places[axis]) for axis in ("x", "y"))
    once, twice, coordinate = asked(places)

    def u(**orders):
        return by_hand(places, **orders)

    np.testing.assert_allclose(once, y * (u(x=1) + x * u(x=2)), rtol=1e-12)
    mixed = u(x=1) + x * u(x=2) + y * (u(x=1, y=1) + x * u(x=2, y=1))
    np.testing.assert_allclose(twice, mixed, rtol=1e-12)
    np.testing.assert_allclose(coordinate, np.broadcast_to(2 * places["t"], (3, 4, 2)), rtol=1e-14)


def test_coordinates_that_are_no_tensor_product():
    flat = {axis: jnp.zeros(5) for axis in BOX}
    with pytest.raises(PinnlabError, match=r"tensor product.*t \(5,\), x \(5,\)"):
        field(flat)
    swapped = mesh() | {"x": mesh()["y"]}
    with pytest.raises(PinnlabError, match=r"length 1 along all dimensions but the i-th of 3"):
        field(swapped)
