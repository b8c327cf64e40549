"""Samplers: evenness, the density of adaptive points, and draws that belong to their key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest, qmc

from pinnlab.sampling import Adaptive, Sobol, Uniform

SAMPLERS = [Uniform(), Sobol(), Adaptive(), Adaptive(base=Sobol())]


def ramp(points):
    return points[:, 0]


def drawn(sampler, n=256, dims=2, seed=0, score=ramp):
    return sampler(jax.random.key(seed), n, dims, score, jnp.result_type(float))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
@pytest.mark.parametrize("n, dims", [(100, 1), (256, 2), (33, 4)])
def test_points_lie_in_the_unit_cube_and_belong_to_their_key(sampler, n, dims):
    points = drawn(sampler, n, dims)
    assert points.shape == (n, dims) and points.dtype == "float64"
    assert float(points.min()) >= 0.0 and float(points.max()) < 1.0
    np.testing.assert_array_equal(points, drawn(sampler, n, dims))
    assert not np.allclose(points, drawn(sampler, n, dims, seed=1))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_draws_are_vectorised_over_keys(sampler):
    keys = jax.vmap(jax.random.key)(jnp.arange(3))
    many = jax.jit(jax.vmap(lambda k: sampler(k, 64, 2, ramp, jnp.result_type(float))))(keys)
    for seed in range(3):
        np.testing.assert_allclose(many[seed], drawn(sampler, 64, seed=seed), rtol=1e-15)


def test_uniform_points_are_uniform():
    points = np.asarray(drawn(Uniform(), 4096))
    assert all(kstest(points[:, i], "uniform").pvalue > 1e-3 for i in range(2))


@pytest.mark.parametrize("seed", range(4))
def test_a_shifted_sobol_set_stays_even(seed):
    """Its discrepancy is far below that of random points, for any shift."""
    sobol, random = (np.asarray(drawn(s, 512, 2, seed)) for s in (Sobol(), Uniform()))
    assert qmc.discrepancy(sobol) < 0.2 * qmc.discrepancy(random)
    counts = np.histogram2d(*sobol.T, bins=8, range=[[0, 1], [0, 1]])[0]
    assert counts.min() >= 5 and counts.max() <= 11  # eight a cell; random ones scatter by three


def test_a_sobol_mean_converges_faster_than_a_random_one():
    def error(sampler, n):
        means = [float(jnp.mean(jnp.prod(drawn(sampler, n, 3, s), axis=1))) for s in range(12)]
        return float(np.sqrt(np.mean((np.array(means) - 0.125) ** 2)))

    assert error(Sobol(), 1024) < 0.15 * error(Uniform(), 1024)


@pytest.mark.parametrize("k, c", [(1.0, 0.0), (2.0, 0.0), (1.0, 1.0)])
def test_adaptive_points_follow_the_residual(k, c):
    """With many candidates the density of x is (x^k / E x^k + c) / (1 + c)."""
    points = np.asarray(drawn(Adaptive(k, c, candidates=64), 2048, 1))[:, 0]

    def distribution(x):
        return (x ** (k + 1) + c * x) / (1 + c)

    assert kstest(points, distribution).statistic < 0.04
    assert kstest(points, "uniform").statistic > 0.08


def test_adaptive_points_are_drawn_without_replacement():
    points = np.asarray(drawn(Adaptive(k=4.0, c=0.0), 512))
    assert len(np.unique(points, axis=0)) == 512


def test_a_residual_of_zero_gives_uniform_points():
    points = np.asarray(drawn(Adaptive(), 2048, 1, score=lambda p: 0.0 * p[:, 0]))[:, 0]
    assert kstest(points, "uniform").pvalue > 1e-3
