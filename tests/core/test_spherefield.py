"""Fields on the sphere: derivatives by harmonics, against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, Function, PinnlabError, Sphere
from pinnlab.core.grid import Chebyshev, Fourier, Grid
from pinnlab.core.latitudes import GaussianLatitudes, sphere_grid
from pinnlab.core.spherefield import SphereField

RADIUS = 2.5
LAT = Axis(-90, 90, "degrees_north")
LON = Axis(0, 360, "degrees_east", periodic=True)
GLOBE = Domain(metric=Sphere(RADIUS), lat=LAT, lon=LON)
GRID = sphere_grid(GLOBE, 16, 32)
LATITUDE, TURN = (np.deg2rad(GRID.coordinates[a]) for a in ("lat", "lon"))
SIN, COS = np.sin(LATITUDE), np.cos(LATITUDE)
U = SIN * COS**2 * np.cos(2 * TURN) + 0.5 * COS * np.sin(TURN)  # degrees 3 and 1
V = SIN**2 + 0.0 * TURN


def field(**more):
    return SphereField(GRID, {"u": jnp.asarray(U), "v": jnp.asarray(V)}, **more)


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.max(np.abs(np.asarray(b))))


def test_laplacian_of_harmonics():
    f = field()
    right = (-12 * SIN * COS**2 * np.cos(2 * TURN) - COS * np.sin(TURN)) / RADIUS**2
    close(f.laplacian("u"), right)
    close(f.laplacian(lambda f: 2 * f("u")), 2 * right)
    close(f.laplacian("u", 3.0), 3 * right)
    close(f.div(lambda f: f.grad("u")), right)


def test_gradient_has_physical_components():
    north = (COS**3 - 2 * SIN**2 * COS) * np.cos(2 * TURN) - 0.5 * SIN * np.sin(TURN)
    east = -2 * SIN * COS * np.sin(2 * TURN) + 0.5 * np.cos(TURN)
    for found in (field().grad("u"), field().grad(lambda f: f("u"))):
        close(found["lat"], north / RADIUS)
        close(found["lon"], east / RADIUS)


def test_derivatives_are_per_degree():
    f, degree = field(), np.pi / 180
    close(f("u", lon=1), (-2 * SIN * COS**2 * np.sin(2 * TURN) + COS * np.cos(TURN) / 2) * degree)
    close(f("v", lat=2), 2 * (COS**2 - SIN**2) * degree**2 + 0 * TURN)
    close(f(lambda f: f("v") ** 2, lat=1), 4 * SIN**3 * COS * degree + 0 * TURN)
    np.testing.assert_array_equal(f("u"), U)


def test_a_coefficient_that_varies_stands_inside_the_divergence():
    """div(k grad v) for k = v = sin^2 is lap(v^2)/2, and lap(sin^4) = 12 sin^2 - 20 sin^4."""
    k = Function(lambda _, x: jnp.sin(jnp.deg2rad(x["lat"])) ** 2)
    found = field().laplacian("v", k)
    close(found, (6 * SIN**2 - 10 * SIN**4) / RADIUS**2 + 0 * TURN)


def test_other_axes_are_differentiated_by_their_schemes():
    domain = Domain(metric=Sphere(RADIUS), z=Axis(0, 1, "m"), lat=LAT, lon=LON)
    schemes = {"z": (Chebyshev(), 7), "lat": (GaussianLatitudes(), 16), "lon": (Fourier(), 32)}
    grid = Grid(domain, schemes)
    z = grid.coordinates["z"]
    f = SphereField(grid, {"u": jnp.asarray(z**3 * U[None])})
    flat = field().laplacian("u")[None]
    close(f.laplacian("u"), z**3 * flat + 6 * z * U[None])
    close(f.div(lambda f: f.grad("u")), z**3 * flat + 6 * z * U[None])
    close(f("u", z=1, lon=1), 3 * z**2 * field()("u", lon=1)[None])


def test_projection_drops_what_is_beyond_the_degree():
    wave = COS**12 * np.cos(12 * TURN)
    kept = field(degree=12).project({"u": jnp.asarray(U), "w": jnp.asarray(wave)})
    close(kept["u"], U)
    close(kept["w"], wave)
    gone = field(degree=11).project({"u": jnp.asarray(U + wave)})["u"]
    close(gone, U)


def test_gaussian_latitudes_integrate_harmonics():
    weights = GRID.weights * np.cos(np.deg2rad(GRID.coordinates["lat"]))
    whole = np.sum(weights) * (np.pi / 180) ** 2
    assert whole == pytest.approx(4 * np.pi, rel=1e-13)
    mean = np.sum(weights * np.asarray(V)) / np.sum(weights)
    assert mean == pytest.approx(1 / 3, rel=1e-13)


def test_latitude_alone_converges_with_the_order_of_its_polynomials():
    scheme, errors, slopes = GaussianLatitudes(), [], []
    at = np.linspace(-90, 90, 41)
    for n in (16, 32, 64):
        nodes = scheme.nodes(LAT, n)
        values = np.exp(np.sin(np.deg2rad(nodes)))
        found = scheme.interpolate(LAT, n, at) @ values
        errors.append(np.max(np.abs(found - np.exp(np.sin(np.deg2rad(at))))))
        slope = np.rad2deg(scheme.matrix(LAT, n, 1) @ values)
        slopes.append(np.max(np.abs(slope - np.cos(np.deg2rad(nodes)) * values)))
    assert np.log2(errors[0] / errors[-1]) / 2 > 7.5
    assert np.log2(slopes[0] / slopes[-1]) / 2 > 6.5
    close(scheme.interpolate(LAT, 16, scheme.nodes(LAT, 16)), np.eye(16), 1e-13)


@pytest.mark.parametrize(
    ("axes", "metric", "said"),
    [
        ({"lat": LAT, "lon": LON}, None, "need a domain on a sphere"),
        ({"lon": LON, "lat": LAT}, Sphere(), "behind it 'lon'"),
        ({"lat": LAT, "lon": Axis(0, 90, "degrees_east", True)}, Sphere(), "over 360 degrees"),
        ({"lat": Axis(-60, 60, "degrees_north"), "lon": LON}, Sphere(), "from -60 to 60"),
    ],
)
def test_what_is_no_globe_is_refused(axes, metric, said):
    with pytest.raises(PinnlabError, match=said):
        sphere_grid(Domain(metric=metric, **axes), 16, 32)


def test_a_grid_without_gaussian_latitudes_is_refused():
    grid = Grid(GLOBE, {"lat": (Chebyshev(), 16), "lon": (Fourier(), 32)})
    with pytest.raises(PinnlabError, match=r"build the grid by sphere_grid\(domain"):
        SphereField(grid, {"u": jnp.asarray(U)})
