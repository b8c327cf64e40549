"""Gauss-Newton without a matrix, against the one with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import Rows, linear, rosenbrock, run

from pinnlab.core import PinnlabError
from pinnlab.optimizers import LevenbergMarquardt, MatrixFree
from pinnlab.optimizers.matrix_free import nystrom, preconditioner


def spectrum(size, values, seed=0):
    """A symmetric matrix with the given leading eigenvalues, and its leading eigenvectors."""
    random = np.random.default_rng(seed)
    vectors = np.linalg.qr(random.normal(size=(size, len(values))))[0]
    return jnp.asarray(vectors * values @ vectors.T), vectors


@pytest.mark.parametrize("n, p", [(60, 25), (25, 60)])
def test_the_step_is_that_of_the_dense_method(n, p):
    _, _, objective = linear(n, p)
    start = jnp.asarray(np.random.default_rng(3).normal(size=p))
    # at full rank the estimate of the trace, on which the damping is based, is exact
    free = MatrixFree(damping=1e-2, rank=p, tolerance=1e-12)
    dense = LevenbergMarquardt(damping=1e-2, acceleration=0.0)
    theirs, _, first = run(dense, objective, start, 1)
    ours, _, second = run(free, objective, start, 1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    assert first == pytest.approx(second)


def test_a_matrix_of_low_rank_is_found_exactly():
    values = np.asarray([100.0, 10.0, 1.0])
    matrix, vectors = spectrum(40, values)
    found, weights, _ = nystrom(lambda v: matrix @ v, jnp.asarray(7), jnp.zeros(40), 6)
    np.testing.assert_allclose(weights[:3], values, rtol=1e-8)
    np.testing.assert_allclose(weights[3:], 0.0, atol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(found[:, :3] * vectors, axis=0)), 1.0, rtol=1e-8)


def test_the_trace_is_estimated_without_bias():
    matrix, _ = spectrum(30, np.linspace(1.0, 3.0, 30))
    keys = jnp.arange(200)
    _, _, traces = jax.vmap(lambda k: nystrom(lambda v: matrix @ v, k, jnp.zeros(30), 5))(keys)
    assert float(jnp.mean(traces)) == pytest.approx(60.0, rel=0.01)


def test_preconditioning_takes_the_large_eigenvalues_away():
    """Condition 1e8 before; what is left is the ratio of the values beyond the rank."""
    values = np.concatenate([np.logspace(6, 2, 10), np.full(30, 1e-2)])
    matrix, _ = spectrum(40, values)
    vectors, leading, _ = nystrom(lambda v: matrix @ v, jnp.asarray(0), jnp.zeros(40), 12)
    mu = 1e-2
    inverse = jax.vmap(preconditioner(vectors, leading, mu))(jnp.eye(40))
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-12)
    found = np.linalg.eigvals(inverse @ (matrix + mu * jnp.eye(40))).real
    assert found.min() > 0 and found.max() / found.min() < 2.0


def test_nothing_known_is_the_identity():
    v = jnp.arange(5.0)
    same = preconditioner(jnp.zeros((5, 2)), jnp.zeros(2), 1e-3)(v)
    np.testing.assert_array_equal(same, v)


@pytest.mark.parametrize("refresh", [1, 7])
def test_rosenbrock(refresh):
    method = MatrixFree(rank=1, refresh=refresh)
    end, state, losses = run(method, Rows(rosenbrock), jnp.asarray([-1.2, 1.0]), 40)
    np.testing.assert_allclose(end, [1.0, 1.0], atol=1e-10)
    assert losses[0] == pytest.approx(24.2) and all(np.diff(losses) <= 0)
    assert int(state["count"]) == 40


def test_the_preconditioner_is_made_anew_every_so_many_steps():
    method, objective = MatrixFree(rank=1, refresh=3), Rows(rosenbrock)
    step = jax.jit(lambda p, s: method.step(objective, p, s, None, None))
    params = jnp.asarray([-1.2, 1.0])
    state, seen = method.init(params), []
    for _ in range(7):
        params, state, _ = step(params, state)
        seen.append(float(state["trace"]))
    assert seen[0] == seen[1] == seen[2] != seen[3] == seen[4] == seen[5] != seen[6]


def test_a_trial_that_is_not_finite_is_rejected_and_damped():
    objective, start = Rows(lambda x: jnp.log(x)), jnp.asarray([30.0])
    method = MatrixFree(damping=1e-6, rank=1)
    once, state, losses = run(method, objective, start, 1)
    np.testing.assert_array_equal(once, start)
    assert float(state["mu"]) > 1e-6 and np.isfinite(losses).all()
    end, _, _ = run(method, objective, start, 60)
    np.testing.assert_allclose(end, 1.0, rtol=1e-8)


def test_rows_of_a_point_at_which_all_vanishes_break_nothing():
    end, state, _ = run(MatrixFree(rank=2), Rows(lambda x: x**2), jnp.zeros(3), 3)
    np.testing.assert_array_equal(end, np.zeros(3))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize("wrong", ["rank", "refresh", "iterations"])
def test_wrong_settings(wrong):
    with pytest.raises(PinnlabError, match="must be at least 1"):
        MatrixFree(**{wrong: 0})
