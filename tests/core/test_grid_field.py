"""GridField: derivatives of variables and of functions of the field, metrics, time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError, PointField, Profile, SineLatitude, Sphere
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.core.gridfield import GridField

PLANE = Domain(x=Axis(0, 1, "m"), y=Axis(-1, 1, "m", periodic=True))


def u(x):
    return jnp.exp(0.7 * x["x"]) * jnp.sin(jnp.pi * x["y"] + x["x"])


def k(x):
    return 1.0 + jnp.sin(2 * x["x"]) + 0.3 * jnp.cos(jnp.pi * x["y"])


class Coefficient:
    """A coefficient with its own ``at``, as a network or a profile has."""

    def at(self, x):
        return k(x)


def on_grid(function, grid):
    x = {axis: jnp.asarray(c) for axis, c in grid.coordinates.items()}
    return jnp.broadcast_to(function(x), grid.shape)


def at_points(ask, model, grid, names=("u",)):
    """The same question answered by automatic differentiation at every node."""
    full = np.broadcast_arrays(*grid.coordinates.values())
    points = {axis: c.ravel() for axis, c in zip(grid.axes, full, strict=True)}
    answer = jax.vmap(lambda p: ask(PointField(model, p, grid.domain, names)))(points)
    return np.asarray(answer).reshape(grid.shape)


QUESTIONS = {
    "u": lambda f: f("u"),
    "u_x": lambda f: f("u", x=1),
    "u_xxy": lambda f: f("u", x=2, y=1),
    "laplacian": lambda f: f.laplacian("u"),
    "k laplacian": lambda f: f.laplacian("u", 3.0),
    "flux": lambda f: f.laplacian("u", Coefficient()),
    "k_x": lambda f: f(Coefficient(), x=1),
    "(u u_x)_xy": lambda f: f(lambda f: f("u") * f("u", x=1), x=1, y=1),
    "(k u)_xx": lambda f: f(lambda f: f(Coefficient()) * f("u"), x=2),
    "div grad": lambda f: f.div(lambda f: f.grad("u")),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_spectral_reading_agrees_with_automatic_differentiation(name):
    grid = Grid(PLANE, {"x": (Chebyshev(), 24), "y": (Fourier(), 24)})
    found = QUESTIONS[name](GridField(grid, {"u": on_grid(u, grid)}))
    expected = at_points(QUESTIONS[name], lambda p: {"u": u(p)}, grid)
    np.testing.assert_allclose(np.broadcast_to(found, grid.shape), expected, atol=1e-8)


@pytest.mark.parametrize("accuracy", [2, 4, 6])
def test_difference_reading_of_fluxes_has_its_order(accuracy):
    """Two axes, mixed and nested functions; next to the ends accuracy 6 has order 4."""
    names, counts, errors = ["flux", "k_x", "(u u_x)_xy", "(k u)_xx", "u_xxy"], [17, 25], []
    for n in counts:
        grid = Grid(PLANE, {"x": (FiniteDifference(accuracy), n), "y": (Fourier(), 16)})
        f = GridField(grid, {"u": on_grid(u, grid)})
        errors.append([])
        for name in names:
            expected = at_points(QUESTIONS[name], lambda p: {"u": u(p)}, grid)
            error = np.abs(np.broadcast_to(QUESTIONS[name](f), grid.shape) - expected)
            errors[-1].append((error.max(), error[n // 4 : -(n // 4)].max()))
    slopes = np.log(np.divide(*errors)) / np.log((counts[1] - 1) / (counts[0] - 1))
    assert np.all(slopes[:, 0] > min(accuracy, 4) - 0.5), slopes
    assert np.all(slopes[:, 1] > accuracy - 0.5), slopes


def test_a_flux_with_uniform_coefficient_is_the_laplacian():
    """For accuracy 2 the two have the same three-point stencil."""
    grid = Grid(Domain(x=Axis(0, 1)), {"x": (FiniteDifference(2), 33)})
    f = GridField(grid, {"u": jnp.sin(5 * grid.coordinates["x"])})
    flux = f(lambda f: f("u", x=1), x=1)
    np.testing.assert_allclose(flux[1:-1], f("u", x=2)[1:-1], atol=1e-10)


def harmonic(x):
    """The spherical harmonic of degree 3 and order 2, up to a factor."""
    lat, lon = jnp.deg2rad(x["lat"]), jnp.deg2rad(x["lon"])
    return jnp.cos(lat) ** 2 * jnp.sin(lat) * jnp.cos(2 * lon)


def test_laplacian_of_a_spherical_harmonic_at_points_and_on_a_grid():
    """It is an eigenfunction: -l (l + 1)/a^2, with l = 3, on a sphere of radius 2 m."""
    lat = Axis(-70, 70, "degrees_north")
    lon = Axis(0, 360, "degrees_east", periodic=True)
    domain = Domain(metric=Sphere(radius=2.0), lat=lat, lon=lon)
    grid = Grid(domain, {"lat": (Chebyshev(), 24), "lon": (Fourier(), 12)})
    expected = -12.0 / 4.0 * on_grid(harmonic, grid)
    point = at_points(lambda f: f.laplacian("u"), lambda p: {"u": harmonic(p)}, grid)
    np.testing.assert_allclose(point, expected, atol=1e-12)
    f = GridField(grid, {"u": on_grid(harmonic, grid)})
    np.testing.assert_allclose(f.laplacian("u"), expected, atol=1e-9)
    np.testing.assert_allclose(f.div(lambda f: f.grad("u")), f.laplacian("u"), atol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_legendre_polynomials_are_eigenfunctions_in_sine_latitude(degree):
    """d/dx (1 - x^2) dP/dx = -n (n + 1) P up to the poles, where no condition is needed."""
    domain = Domain(metric=SineLatitude(), x=Axis(-1, 1))
    polynomial = np.polynomial.legendre.Legendre.basis(degree)
    grid = Grid(domain, {"x": (Chebyshev(), 12)})
    p = jnp.asarray(polynomial(grid.nodes["x"]))
    eigenvalue = -degree * (degree + 1.0)
    np.testing.assert_allclose(GridField(grid, {"u": p}).laplacian("u"), eigenvalue * p, atol=1e-9)
    errors = []
    for n in (41, 81):
        grid = Grid(domain, {"x": (FiniteDifference(2), n)})
        p = jnp.asarray(polynomial(grid.nodes["x"]))
        error = np.abs(GridField(grid, {"u": p}).laplacian("u") - eigenvalue * p)
        errors.append(float(error.max()))
    assert errors[1] < 1e-10 or np.log2(errors[0] / errors[1]) > 1.8


@pytest.mark.parametrize("scheme", [Chebyshev(), FiniteDifference(4)])
def test_the_integral_of_a_divergence_is_the_flux_through_the_ends(scheme):
    grid = Grid(Domain(x=Axis(0, 2)), {"x": (scheme, 41)})
    f = GridField(grid, {"u": jnp.sin(2 * grid.coordinates["x"])})
    profile = Profile("x", (0.0, 2.0), np.array([1.0, 3.0]))
    inside = float(jnp.sum(grid.weights * f.laplacian("u", profile)))
    flux = f(profile) * f("u", x=1)
    through = float(flux[-1] - flux[0])
    assert inside == pytest.approx(through, abs=1e-10 if scheme == Chebyshev() else 5e-4)


def test_dealiasing_drops_what_would_fold_back():
    """The square of mode 5 on 16 nodes is mode 10, which folds to mode 6; two thirds keep 0..5."""
    domain = Domain(x=Axis(0, 2 * np.pi, periodic=True))
    for dealias, folded in ((False, 0.5), (True, 0.0)):
        grid = Grid(domain, {"x": (Fourier(dealias), 16)})
        f = GridField(grid, {"u": jnp.cos(5 * grid.coordinates["x"])})
        square = f.project({"u": f("u") ** 2})["u"]
        spectrum = np.abs(np.fft.rfft(square)) / 16
        assert spectrum[0] == pytest.approx(0.5)
        assert 2 * spectrum[6] == pytest.approx(folded, abs=1e-14)


def test_space_and_time_may_both_be_axes_of_a_grid():
    domain = Domain(t=Axis(0, 1, "s"), x=Axis(0, 1, "m", periodic=True))
    grid = Grid(domain, {"t": (Chebyshev(), 16), "x": (Fourier(), 8)})
    model = lambda x: jnp.exp(-2 * x["t"]) * jnp.sin(2 * jnp.pi * x["x"])  # noqa: E731
    f = GridField(grid, {"u": on_grid(model, grid)})
    np.testing.assert_allclose(f("u", t=1), -2 * f("u"), atol=1e-11)


def test_rates_answer_the_first_time_derivative_only():
    domain = Domain(t=Axis(0, 1, "s"), x=Axis(0, 1, "m"))
    grid = Grid(domain, {"x": (Chebyshev(), 12)})
    x = grid.coordinates["x"]
    f = GridField(grid, {"u": jnp.sin(x), "v": jnp.cos(x)}, jnp.asarray(0.3), {"u": jnp.exp(x)})
    np.testing.assert_allclose(f("u", t=1, x=1), np.exp(x), atol=1e-9)
    assert f.coordinates["t"] == 0.3
    for name, order in (("u", 2), ("v", 1)):
        with pytest.raises(PinnlabError, match=f"time derivative of order {order} of '{name}'"):
            f(name, t=order)
    with pytest.raises(PinnlabError, match="'t' is no axis of the grid"):
        f(lambda f: f("u"), t=1)


def test_each_derivative_is_computed_once(monkeypatch):
    """Five times two derivatives along y: one forward transform, two inverse ones."""
    calls = []
    for name in ("rfft", "irfft"):
        own = getattr(jnp.fft, name)
        counted = lambda *a, own=own, name=name, **k: calls.append(name) or own(*a, **k)  # noqa: E731
        monkeypatch.setattr(jnp.fft, name, counted)
    grid = Grid(PLANE, {"x": (Chebyshev(), 8), "y": (Fourier(), 8)})
    f = GridField(grid, {"u": on_grid(u, grid)})
    for _ in range(5):
        f("u", x=1) * f("u", y=1) + f("u", y=2)
    assert sorted(calls) == ["irfft", "irfft", "rfft"]


def test_single_precision_stays_single():
    grid = Grid(PLANE, {"x": (FiniteDifference(4), 12), "y": (Fourier(), 8)})
    f = GridField(grid, {"u": jnp.ones(grid.shape, jnp.float32)})
    assert f.laplacian("u", Coefficient()).dtype == jnp.float32
    assert f.coordinates["x"].dtype == jnp.float32
