"""Retained points and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest

from pinnlab.core import PinnlabError
from pinnlab.sampling import R3, Adaptive, Quadrature, Sobol, Uniform


def drawn(sampler, n, dims, seed=0):
    return sampler(jax.random.key(seed), n, dims, lambda p: p[:, 0], jnp.result_type(float))


def test_points_above_the_mean_stay():
    size = jnp.asarray([1.0, 5.0, 2.0, 0.0])
    np.testing.assert_array_equal(R3().keep(size), [False, True, False, False])
    assert not R3().keep(jnp.zeros(4)).any()
    assert all(s.keep(size) is None for s in (Uniform(), Sobol(), Adaptive(), Quadrature()))


@pytest.mark.parametrize("base", [Uniform(), Sobol()])
def test_retained_points_gather_at_a_peak_and_leave_when_it_is_gone(base):
    """A residual above its mean only within [0.4, 0.5] fills it; a flat one empties it again."""
    sampler, n = R3(base), 1024
    points = drawn(sampler, n, 1)[:, 0]

    def again(points, size, seed):
        new = drawn(sampler, n, 1, seed)[:, 0]
        return jnp.where(sampler.keep(size(points)), points, new)

    def peak(x):
        return jnp.where(jnp.abs(x - 0.45) <= 0.05, 1.0, 0.01)

    def share(x):
        return float(jnp.mean(jnp.abs(x - 0.45) <= 0.05))

    shares = [share(points)]
    for seed in range(1, 9):
        points = again(points, peak, seed)
        shares.append(share(points))
    assert shares[0] == pytest.approx(0.1, abs=0.04)
    # a tenth of the rest joins at each draw, until the mean is that of the peak
    assert shares[8] == pytest.approx(1.0 - 0.9**9, abs=0.05)
    points = again(points, jnp.zeros_like, 9)
    assert kstest(np.asarray(points), "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    "n, dims, expected", [(7, 1, 7), (1000, 2, 961), (1024, 2, 1024), (65, 3, 64)]
)
def test_a_quadrature_integrates_polynomials_exactly(n, dims, expected):
    points, share = drawn(Quadrature(), n, dims), Quadrature().measure(n, dims, jnp.float64)
    assert points.shape == (expected, dims) and share.shape == (expected,)
    assert float(points.min()) > 0.0 and float(points.max()) < 1.0 and float(share.min()) > 0.0
    assert float(jnp.mean(share)) == pytest.approx(1.0, rel=1e-13)
    degree = 2 * round(expected ** (1 / dims)) - 1
    powers = np.arange(1, dims + 1) * 2
    powers[0] = degree  # x^degree y^4 z^6
    powers = np.minimum(powers, degree)
    found = jnp.mean(share * jnp.prod(points ** jnp.asarray(powers, jnp.float64)[None], axis=1))
    assert float(found) == pytest.approx(np.prod(1.0 / (powers + 1)), rel=1e-12)


def test_a_quadrature_of_a_smooth_function_converges_faster_than_even_points():
    def error(sampler, n):
        points, share = drawn(sampler, n, 2), sampler.measure(n, 2, jnp.float64)
        values = jnp.exp(points[:, 0]) * jnp.cos(3.0 * points[:, 1])
        exact = (np.e - 1.0) * np.sin(3.0) / 3.0
        return abs(float(jnp.mean(values if share is None else share * values)) - exact)

    assert error(Quadrature(), 64) < 1e-10 < 1e-4 < error(Sobol(), 64)


def test_even_nodes_integrate_the_waves_of_a_periodic_axis_exactly():
    sampler = Quadrature(nodes=[5, 16], even=[1])
    points, share = drawn(sampler, 100, 2), sampler.measure(100, 2, jnp.float64)
    assert points.shape == (80, 2)
    value = points[:, 0] ** 8 * (1.0 + jnp.cos(2 * jnp.pi * 15 * points[:, 1]))
    assert abs(float(jnp.mean(share * value)) - 1.0 / 9.0) < 1e-14


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nodes": [5]}, "do not fit 2 axes"),
        ({"even": [2]}, "do not fit"),
        ({"nodes": [9, 9]}, "81"),
    ],
)
def test_nodes_that_do_not_fit_are_refused(given, message):
    with pytest.raises(PinnlabError, match=message):
        drawn(Quadrature(**given), 80, 2)
