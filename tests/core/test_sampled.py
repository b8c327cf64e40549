"""Sampled coefficients: exact where their functions are, and the same however they are asked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError, Sphere
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.latitudes import sphere_grid
from pinnlab.core.parameters import evaluate, evaluate_on, varies
from pinnlab.core.sampled import Sampled

DOMAIN = Domain(t=Axis(0, 2), x=Axis(-1, 3, periodic=True), y=Axis(1, 2))
FINE = {"t": np.linspace(0, 2, 3), "x": np.linspace(-1, 7, 37), "y": np.linspace(1, 2, 11)}
TURN = np.pi / 2  # 2 pi over the length of x


def wave(x, y):
    return np.exp(np.sin(TURN * x)) * (1.0 + 0.5 * np.cos(TURN * x - 1.0) * y)


def sampled(nx=32, ny=9, scheme=None, function=wave, domain=DOMAIN):
    """A function of x and y that does not depend on time."""
    grid = Grid(domain, {"x": (Fourier(), nx), "y": (scheme or FiniteDifference(2), ny)})
    x = grid.coordinates
    return Sampled(grid, jnp.asarray(function(x["x"], x["y"]) + 0.0 * (x["x"] + x["y"])))


@pytest.mark.parametrize("scheme", [FiniteDifference(2), FiniteDifference(4), Chebyshev()])
def test_on_its_own_nodes_it_is_its_values_bit_for_bit(scheme):
    one = sampled(16, 11, scheme)
    np.testing.assert_array_equal(one.on(one.grid.nodes), one.values)
    # a dimension of size one for time, which does not matter, and the order that is asked for
    turned = one.on({"y": one.grid.nodes["y"], "t": FINE["t"], "x": one.grid.nodes["x"]})
    np.testing.assert_array_equal(turned, one.values.T[:, None, :])


def test_between_the_nodes_of_periodic_axes_it_converges_faster_than_any_power():
    def error(n):
        one = sampled(n, 11, Chebyshev())
        found = one.on({"x": FINE["x"], "y": FINE["y"]})
        return np.max(np.abs(np.asarray(found) - wave(FINE["x"][:, None], FINE["y"])))

    errors = [error(n) for n in (6, 12, 24)]
    assert errors[1] < 0.02 * errors[0] and errors[2] < 1e-6 * errors[1] and errors[2] < 1e-10


@pytest.mark.parametrize("n", [8, 9])
def test_band_limited_functions_are_exact_with_and_without_a_nyquist_wave(n):
    grid = Grid(Domain(x=DOMAIN["x"]), {"x": (Fourier(), n)})
    rng = np.random.default_rng(0)
    waves = np.arange(1, (n - 1) // 2 + 1)
    a, b = rng.normal(size=(2, len(waves)))

    def series(x):
        angle = TURN * np.multiply.outer(x, waves)
        return 0.3 + np.cos(angle) @ a + np.sin(angle) @ b

    one = Sampled(grid, jnp.asarray(series(grid.nodes["x"])))
    places = FINE["x"]  # beyond the ends, too: the axis goes round
    np.testing.assert_allclose(one.on({"x": places}), series(places), atol=1e-12)
    np.testing.assert_allclose(one.at({"x": jnp.asarray(places)}), series(places), atol=1e-12)
    if n % 2 == 0:  # the shortest wave is a cosine at the nodes, and interpolated as that
        shortest = Sampled(grid, jnp.asarray((-1.0) ** np.arange(n)))
        cosine = np.cos(TURN * n / 2 * (places + 1.0))
        np.testing.assert_allclose(shortest.on({"x": places}), cosine, atol=1e-12)
        np.testing.assert_allclose(shortest.at({"x": jnp.asarray(places)}), cosine, atol=1e-12)


DEGREES = [(FiniteDifference(2), 3), (FiniteDifference(4), 5), (FiniteDifference(6), 7)]


@pytest.mark.parametrize(("scheme", "degree"), [*DEGREES, (Chebyshev(), 14)])
def test_polynomials_along_other_axes_are_exact_up_to_the_schemes_degree(scheme, degree):
    def error(power):
        one = sampled(8, 15, scheme, lambda x, y: (y - 1.3) ** power)
        found = np.asarray(one.on({"x": one.grid.nodes["x"], "y": FINE["y"]}))
        return np.max(np.abs(found - (FINE["y"] - 1.3) ** power))

    assert error(degree) < 1e-13 and (degree == 14 or error(degree + 1) > 1e-10)


@pytest.mark.parametrize(("scheme", "degree"), [*DEGREES, (Chebyshev(), 7)])
def test_points_and_tensor_products_are_read_as_one_function(scheme, degree):
    """Where both are exact: a polynomial of *degree* along y."""
    one = sampled(8, 15, scheme, lambda x, y: np.sin(TURN * x) * (y - 1.3) ** degree)
    x, y = FINE["x"], FINE["y"]
    expected = np.sin(TURN * x)[:, None] * (y - 1.3) ** degree
    laid = one.at({"t": 0.5, "x": jnp.asarray(x)[:, None], "y": jnp.asarray(y)[None]})
    np.testing.assert_allclose(laid, expected, atol=1e-13)
    np.testing.assert_allclose(one.on({"x": x, "y": y}), expected, atol=1e-13)
    points = jax.jit(jax.vmap(lambda x, y: one.at({"t": x, "x": x, "y": y})))
    index = np.arange(11)
    found = points(jnp.asarray(x[index]), jnp.asarray(y))
    np.testing.assert_allclose(found, expected[index, index], atol=1e-13)


def test_points_converge_with_the_order_of_the_scheme():
    def error(n):
        one = sampled(8, n, FiniteDifference(4), lambda x, y: np.sin(5.0 * y))
        y = jnp.linspace(1.0, 2.0, 101)
        return np.max(np.abs(np.asarray(one.at({"x": jnp.asarray(0.3), "y": y})) - np.sin(5 * y)))

    orders = np.log2(np.divide(*np.asarray([[error(21), error(41)], [error(41), error(81)]])))
    assert np.all(orders > 5.5), orders


def test_any_layout_of_a_tensor_product_is_answered_in_that_layout():
    one = sampled(8, 9)
    x, y = jnp.asarray([0.1, 0.7, 2.0]), jnp.asarray([1.0, 1.4])
    plain = one.at({"x": x[:, None], "y": y[None]})
    assert plain.shape == (3, 2)
    np.testing.assert_array_equal(one.at({"x": x[None], "y": y[:, None]}), plain.T)
    np.testing.assert_array_equal(
        one.at({"x": x[None, :, None], "y": y[:, None, None]}), plain.T[:, :, None]
    )
    along_x = one.at({"x": x, "y": y[1]})
    assert along_x.shape == (3,)
    np.testing.assert_allclose(along_x, plain[:, 1], rtol=1e-14)
    assert one.at({"x": x[0], "y": y[0]}).shape == ()
    with pytest.raises(PinnlabError, match="points or on tensor products"):
        one.at({"x": x, "y": x})  # a list of points: one after the other by vmap
    with pytest.raises(PinnlabError, match="points or on tensor products"):
        one.at({"x": jnp.ones((3, 2)), "y": y[None]})


def test_derivatives_between_the_nodes_are_those_of_the_series():
    one = sampled(12, 9, None, lambda x, y: np.sin(2 * TURN * x) + np.cos(3 * TURN * x))

    def value(x):
        return one.at({"x": x, "y": jnp.ones_like(x)})

    x = jnp.linspace(-1.0, 3.0, 7)  # the first and last of them are nodes
    first, second = jax.grad(value), jax.grad(jax.grad(value))
    slope = 2 * TURN * np.cos(2 * TURN * x) - 3 * TURN * np.sin(3 * TURN * x)
    bend = -((2 * TURN) ** 2) * np.sin(2 * TURN * x) - (3 * TURN) ** 2 * np.cos(3 * TURN * x)
    np.testing.assert_allclose(jax.vmap(first)(x), slope, atol=1e-11)
    np.testing.assert_allclose(jax.vmap(second)(x), bend, atol=1e-10)
    # along y those of the polynomial, on the nodes as well
    two = sampled(8, 11, FiniteDifference(2), lambda x, y: y**3)
    along = jax.grad(lambda y: two.at({"x": jnp.asarray(0.3), "y": y}))
    places = jnp.asarray([1.0, 1.1, 1.33, 2.0])
    np.testing.assert_allclose(jax.vmap(along)(places), 3 * places**2, rtol=1e-11)


def test_values_are_the_only_leaf_under_jit_vmap_and_grad():
    one = sampled(8, 9)
    leaves, tree = jax.tree.flatten(one)
    assert len(leaves) == 1 and leaves[0] is one.values
    many = jnp.stack([one.values, 2.0 * one.values])

    @jax.jit
    def read(values):
        return jax.vmap(lambda v: Sampled(one.grid, v).on({"x": FINE["x"], "y": FINE["y"]}))(values)

    found = read(many)
    np.testing.assert_allclose(found[1], 2.0 * found[0], rtol=1e-13)
    np.testing.assert_allclose(found[0], one.on({"x": FINE["x"], "y": FINE["y"]}), atol=1e-13)
    # linear in the values: the gradient of a value at a node picks that node
    x = {a: jnp.asarray(nodes[3]) for a, nodes in one.grid.nodes.items()}
    slope = jax.grad(lambda s: s.at(x))(one).values
    expected = np.zeros_like(slope)
    expected[3, 3] = 1.0
    np.testing.assert_allclose(slope, expected, atol=1e-13)
    other = jax.tree.unflatten(tree, [2.0 * one.values])
    assert float(other.at(x)) == pytest.approx(2.0 * float(one.at(x)))


def test_single_precision_stays_single():
    with jax.enable_x64(False):
        one = sampled(32, 17, FiniteDifference(4), lambda x, y: np.sin(8 * TURN * x) * y)
        assert one.values.dtype == "float32"
        on = one.on({"x": FINE["x"], "y": FINE["y"]})
        at = one.at({"x": jnp.asarray(FINE["x"])[:, None], "y": jnp.asarray(FINE["y"])[None]})
        assert on.dtype == at.dtype == "float32"
        expected = np.sin(8 * TURN * FINE["x"])[:, None] * FINE["y"]
        np.testing.assert_allclose(on, expected, atol=1e-5)
        np.testing.assert_allclose(at, expected, atol=3e-5)  # two periods beyond
    # single-precision values at double-precision points: the points' own
    double = Sampled(one.grid, jnp.asarray(np.asarray(one.values)))
    assert double.at({"x": jnp.asarray(0.1), "y": jnp.asarray(1.1)}).dtype == "float64"


def test_equations_take_it_for_a_coefficient_that_varies():
    one = sampled(16, 21, FiniteDifference(4))
    assert varies(one)
    x = {"t": 0.3, "x": jnp.asarray(0.2), "y": jnp.asarray(1.5)}
    assert evaluate(one, x) == one.at(x)
    whole = evaluate_on(one, one.grid.nodes, {})
    np.testing.assert_array_equal(whole, one.values)


def test_a_field_on_a_grid_differentiates_it_by_the_grids_schemes():
    """div(k grad u) of k and u that both vary, on nodes that are not those of k."""
    k = sampled(16, 33, FiniteDifference(4), lambda x, y: (2.0 + np.sin(TURN * x)) * (1.0 + y**2))
    domain = Domain(x=DOMAIN["x"], y=DOMAIN["y"])
    grid = Grid(domain, {"x": (Fourier(), 24), "y": (FiniteDifference(4), 65)})
    x, y = grid.coordinates["x"], grid.coordinates["y"]
    u = np.cos(TURN * x) * np.sin(2.0 * y)
    field = GridField(grid, {"u": jnp.asarray(u)})
    found = field.laplacian("u", k)
    a, b = 2.0 + np.sin(TURN * x), 1.0 + y**2
    bent = a * np.cos(TURN * x) + np.cos(TURN * x) * np.sin(TURN * x)
    along = -b * np.sin(2.0 * y) * TURN**2 * bent
    across = a * np.cos(TURN * x) * (2.0 * y * 2.0 * np.cos(2.0 * y) - 4.0 * b * np.sin(2.0 * y))
    error = np.max(np.abs(np.asarray(found) - along - across))
    assert error < 1e-4 * np.max(np.abs(along + across))
    slope = field(k, x=1)
    np.testing.assert_allclose(slope, TURN * np.cos(TURN * x) * b, atol=1e-6)


def test_on_a_sphere_it_goes_round_along_longitude():
    globe = Domain(
        metric=Sphere(2.0),
        lat=Axis(-90, 90, "degrees_north"),
        lon=Axis(0, 360, "degrees_east", periodic=True),
    )
    grid = sphere_grid(globe, 24, 48)

    def height(lat, lon):
        return np.cos(np.deg2rad(lat)) ** 2 * np.cos(2 * np.deg2rad(lon)) + 0.0 * lat

    one = Sampled(grid, jnp.asarray(height(grid.coordinates["lat"], grid.coordinates["lon"])))
    lat, lon = np.linspace(-80, 80, 9), np.linspace(-30, 400, 11)
    found = one.on({"lat": lat, "lon": lon})
    np.testing.assert_allclose(found, height(lat[:, None], lon), atol=1e-6)
