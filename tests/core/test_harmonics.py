"""Spherical harmonics: exact for what is band-limited, to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core.errors import PinnlabError
from pinnlab.core.harmonics import Harmonics, gauss, legendre

GRID = Harmonics(24, 48)
FULL = Harmonics(16, 32, 15)


def random_modes(h, *before, behind=(), seed=0):
    """Coefficients with l >= m, without sines of m = 0."""
    random = np.random.default_rng(seed)
    lower = np.tril(np.ones((h.degree + 1, h.degree + 1)))
    kept = np.concatenate([lower, lower * (np.arange(h.degree + 1) > 0)], axis=1)
    shape = (*before, *h.shape, *behind)
    return jnp.asarray(random.normal(size=shape) * kept.reshape(*h.shape, *[1] * len(behind)))


def angles(h):
    return np.meshgrid(np.deg2rad(h.latitudes), np.deg2rad(h.longitudes), indexing="ij")


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.max(np.abs(np.asarray(b))))


def test_default_degree_leaves_products_of_two_unfolded():
    assert Harmonics(32, 64).degree == 21  # the T21 grid of spectral models
    assert Harmonics(64, 128).degree == 42
    assert hash(Harmonics(32, 64)) == hash(Harmonics(32, 64, 21))


@pytest.mark.parametrize("degree", [0, 16])
def test_a_degree_beyond_the_grid_is_refused(degree):
    with pytest.raises(PinnlabError, match="resolves degrees from 1 to 15"):
        Harmonics(16, 32, degree)


def test_legendre_functions_are_the_known_ones():
    x = np.linspace(-0.9, 0.9, 7)
    c = np.sqrt(1 - x**2)
    p = legendre(4, x, c)
    close(p[0, :, 1], np.sqrt(3) * x)
    close(p[1, :, 1], np.sqrt(1.5) * c)
    close(p[0, :, 4], 3 * (35 * x**4 - 30 * x**2 + 3) / 8)
    close(p[3, :, 4], np.sqrt(315 / 16) * x * c**3)
    assert np.all(p[3, :, :3] == 0)


def test_legendre_functions_are_orthonormal_at_a_high_degree():
    x, weights = gauss(256)
    p = legendre(255, x, np.sqrt(1 - x**2))
    for m in (0, 1, 40, 200, 255):
        product = 0.5 * np.einsum("nl,n,nk->lk", p[m], weights, p[m])[m:, m:]
        np.testing.assert_allclose(product, np.eye(256 - m), atol=1e-11)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_slopes_of_legendre_functions(order):
    """Against central differences of the order before."""
    lat, step = np.linspace(-1.5, 1.5, 9), 1e-5

    def at(lat, k):
        return legendre(9, np.sin(lat), np.cos(lat), k)

    rough = (at(lat + step, order - 1) - at(lat - step, order - 1)) / (2 * step)
    close(at(lat, order), rough, 1e-8)


@pytest.mark.parametrize("h", [GRID, FULL, Harmonics(9, 40, 8)])
def test_analysis_inverts_synthesis_and_keeps_the_mean_square(h):
    modes = random_modes(h)
    values = h.synthesis(modes)
    close(h.analysis(values), modes)
    weights = gauss(h.n_lat)[1][:, None] / (2 * h.n_lon)
    assert float(jnp.sum(values**2 * weights)) == pytest.approx(float(jnp.sum(modes**2)))
    assert float(jnp.sum(values * weights)) == pytest.approx(float(modes[0, 0]))
    close(h.power(modes), np.sum(np.asarray(modes) ** 2, axis=1))


def test_any_dimensions_may_stand_around():
    modes = random_modes(GRID, 3, behind=(5,))
    values = GRID.synthesis(modes, dim=1)
    assert values.shape == (3, 24, 48, 5)
    one = GRID.synthesis(modes[2, :, :, 4])
    close(values[2, :, :, 4], one)
    close(GRID.analysis(values, dim=-3), modes)
    close(jax.vmap(GRID.analysis)(values[..., 0]), modes[..., 0])
    close(GRID.laplacian(modes, 1)[1, :, :, 3], GRID.laplacian(modes[1, :, :, 3]))
    close(GRID.gradient(modes, 1)[1][0, :, :, 0], GRID.gradient(modes[0, :, :, 0])[1])


def test_single_precision_stays_single():
    modes = random_modes(GRID).astype(jnp.float32)
    north, east = GRID.gradient(modes)
    found = GRID.divergence(north, east)
    assert found.dtype == jnp.float32
    close(found, GRID.laplacian(modes), 3e-6)


def test_laplacian_has_the_eigenvalues_of_its_degrees():
    lat, lon = angles(GRID)
    y43 = np.sin(lat) * np.cos(lat) ** 3 * np.sin(3 * lon)
    modes = GRID.analysis(jnp.asarray(y43))
    close(GRID.synthesis(GRID.laplacian(modes)), -20 * y43)
    assert float(modes[4, GRID.degree + 1 + 3]) == pytest.approx(
        float(jnp.sqrt(jnp.sum(modes**2))), rel=1e-12
    )


def test_inverse_laplacian_leaves_no_mean():
    modes = random_modes(GRID)
    back = GRID.inverse_laplacian(GRID.laplacian(modes))
    close(back, modes.at[0, 0].set(0.0))


def test_gradient_of_a_known_function():
    lat, lon = angles(GRID)
    f = np.sin(lat) * np.cos(lat) * np.cos(lon) + 0.3 * np.sin(lat) ** 2
    north, east = GRID.gradient(GRID.analysis(jnp.asarray(f)))
    close(north, np.cos(2 * lat) * np.cos(lon) + 0.3 * np.sin(2 * lat))
    close(east, -np.sin(lat) * np.sin(lon))


@pytest.mark.parametrize(("lat_order", "lon_order"), [(2, 0), (1, 2), (3, 1)])
def test_higher_derivatives(lat_order, lon_order):
    lat, lon = angles(GRID)
    modes = GRID.analysis(jnp.asarray(np.cos(lat) ** 2 * np.sin(2 * lon)))
    along = [None, -np.sin(2 * lat), -2 * np.cos(2 * lat), 4 * np.sin(2 * lat)][lat_order]
    across = 2**lon_order * np.sin(2 * lon + lon_order * np.pi / 2)
    close(GRID.synthesis(modes, lat=lat_order, lon=lon_order), along * across)


def test_divergence_and_curl_of_known_winds():
    """The solid rotation cos(lat) eastward turns with 2 sin(lat); the wind cos(lat) northward has
    the divergence -2 sin(lat)."""
    lat, _ = angles(GRID)
    wind, none = jnp.asarray(np.cos(lat)), jnp.zeros(lat.shape)
    close(GRID.synthesis(GRID.curl(none, wind)), 2 * np.sin(lat))
    close(GRID.synthesis(GRID.divergence(wind, none)), -2 * np.sin(lat))
    assert np.max(np.abs(GRID.divergence(none, wind))) < 1e-12
    assert np.max(np.abs(GRID.curl(wind, none))) < 1e-12


@pytest.mark.parametrize("h", [GRID, FULL])
def test_helmholtz_parts_come_back(h):
    """The wind of a stream function and a velocity potential has their Laplacians as curl and
    divergence."""
    psi, chi = random_modes(h, seed=1), random_modes(h, seed=2)
    (psi_n, psi_e), (chi_n, chi_e) = h.gradient(psi), h.gradient(chi)
    north, east = chi_n + psi_e, chi_e - psi_n
    close(h.curl(north, east), h.laplacian(psi))
    close(h.divergence(north, east), h.laplacian(chi))


def test_products_of_two_do_not_fold_back():
    """Analysis on the default grid is that on a finer one."""
    fine, h = Harmonics(48, 96, GRID.degree), GRID
    one, two = random_modes(h, seed=3), random_modes(h, seed=4)
    coarse = h.analysis(h.synthesis(one) * h.synthesis(two))
    close(coarse, fine.analysis(fine.synthesis(one) * fine.synthesis(two)), 1e-12)

    def transport(h):
        north, east = h.gradient(two)
        return h.divergence(north * h.synthesis(one), east * h.synthesis(one))

    close(transport(h), transport(fine), 1e-12)


def test_evaluation_anywhere_the_poles_included():
    modes = random_modes(GRID, 2)
    close(GRID.evaluate(modes, GRID.latitudes, GRID.longitudes), GRID.synthesis(modes))
    pole = GRID.evaluate(modes, np.array([90.0]), np.linspace(0, 300, 7))
    close(pole, np.broadcast_to(np.asarray(pole)[..., :1], pole.shape), 1e-13)
    lat, lon = np.array([12.0, -80.0, 90.0]), np.array([3.0, 200.0, -77.0])
    whole = np.asarray(GRID.evaluate(modes, lat, lon))
    close(GRID.scattered(modes, lat, lon), whole[:, np.arange(3), np.arange(3)])
