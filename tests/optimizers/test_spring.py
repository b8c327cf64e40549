"""SPRING: without momentum a damped Gauss-Newton step, with it the published formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import Rows, linear, rosenbrock, run

from pinnlab.core import PinnlabError
from pinnlab.optimizers import LevenbergMarquardt, Spring
from pinnlab.optimizers.spring import best_rate


@pytest.fixture
def strict():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("n, p", [(30, 10), (10, 30)])
def test_without_momentum_it_steps_as_levenberg_marquardt_with_the_same_damping(n, p):
    _, _, objective = linear(n, p)
    start = jnp.asarray(np.random.default_rng(3).normal(size=p))
    plain = LevenbergMarquardt(damping=1e-2, acceleration=0.0)
    theirs, _, first = run(plain, objective, start, 1)
    ours, _, second = run(Spring(momentum=0.0, damping=1e-2, rate=1.0), objective, start, 1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)
    assert first == pytest.approx(second)


@pytest.mark.usefixtures("strict")
def test_steps_with_momentum_are_the_published_ones():
    """Three steps against J'(JJ' + lambda I)^-1 written out, on rows fewer than parameters."""
    a, b, objective = linear(8, 20)
    method = Spring(momentum=0.7, damping=1e-3, rate=0.4)
    found, _, _ = run(method, objective, jnp.zeros(20), 3)
    matrix, target, x, step = np.asarray(a), np.asarray(b), np.zeros(20), np.zeros(20)
    shifted = matrix @ matrix.T + 1e-3 * np.trace(matrix @ matrix.T) / 8 * np.eye(8)
    for _ in range(3):
        kept = 0.7 * step
        step = kept + matrix.T @ np.linalg.solve(shifted, matrix @ x - target - matrix @ kept)
        x = x - 0.4 * step
    np.testing.assert_allclose(found, x, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rosenbrock(momentum):
    end, _, losses = run(Spring(momentum), Rows(rosenbrock), jnp.asarray([-1.2, 1.0]), 40)
    np.testing.assert_allclose(end, [1.0, 1.0], atol=1e-10)
    assert losses[0] == pytest.approx(24.2) and all(np.diff(losses) <= 0)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    "best, expected", [(1.0, 1.0), (0.26, 0.25), (1e-3, 2.0**-10), (-1.0, 0.0)]
)
def test_the_rate_is_the_best_power_of_one_half(best, expected):
    """On a parabola whose minimum lies at the share *best* of the step; none is uphill."""
    flat, step = jnp.asarray([1.0, 2.0]), jnp.asarray([1.0, -1.0])

    def loss(theta):
        return jnp.vdot(flat - best * step - theta, flat - best * step - theta)

    assert float(best_rate(loss, flat, step, loss(flat))) == expected


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("rate", [None, 1.0])
def test_a_step_into_the_undefined_is_shortened_or_not_taken(rate):
    """A full step from x = 30 on log x leads below zero."""
    start = jnp.asarray([30.0])
    end, state, losses = run(Spring(0.0, rate=rate), Rows(lambda x: jnp.log(x)), start, 60)
    assert np.isfinite(losses).all() and np.isfinite(state["step"]).all()
    np.testing.assert_allclose(end, 1.0, rtol=1e-8)


@pytest.mark.usefixtures("strict")
def test_a_matrix_that_cannot_be_solved_is_damped():
    """Equal columns in more rows: without damping that counts, Cholesky gives no number."""
    a = jnp.ones((40, 20))
    objective = Rows(lambda x: a @ x - 1.0)
    end, state, losses = run(Spring(0.9, damping=1e-18), objective, jnp.zeros(20), 30)
    np.testing.assert_allclose(a @ end, 1.0, rtol=1e-6)
    assert np.isfinite(losses).all() and float(state["damping"]) <= 1e3


@pytest.mark.parametrize("wrong", [{"momentum": 1.0}, {"damping": 0.0}, {"rate": -0.1}])
def test_wrong_settings(wrong):
    with pytest.raises(PinnlabError, match="0 <= momentum < 1"):
        Spring(**wrong)
