"""Jacobians without full rank: the damping carries every least-squares method through."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.optimizers import (
    LevenbergMarquardt,
    MatrixFree,
    QuasiNewton,
    SketchedGaussNewton,
    Spring,
)

METHODS = {
    "cholesky": LevenbergMarquardt(),
    "qr": LevenbergMarquardt(factorization="qr"),
    "matrix_free": MatrixFree(),
    "sketched": SketchedGaussNewton(),
    "spring": Spring(),
    "quasi_newton": QuasiNewton(),
}
SIZE = 12
REGULAR = np.random.default_rng(0).normal(size=(SIZE, SIZE)) / 4.0
SINGULAR = {
    "rows twice": np.vstack([REGULAR[:6], REGULAR[:6]]),
    "parameters twice": np.hstack([REGULAR[:, :8], REGULAR[:, :4]]),
    "unused parameters": np.hstack([REGULAR[:, :8], np.zeros((SIZE, 4))]),
    "rank one": np.outer(REGULAR[:, 0], REGULAR[0]),
}


class Linear:
    """Rows A x - b, with A and b for a batch, so that each method is compiled once."""

    def rows(self, params, batch, weights):
        return batch[0] @ params - batch[1]

    def loss(self, params, batch, weights):
        return jnp.sum(self.rows(params, batch, weights) ** 2)

    def jacobian(self, params, batch, weights):
        return self.rows(params, batch, weights), batch[0]


@pytest.mark.parametrize("name", METHODS)
def test_a_singular_jacobian_is_carried_through(name):
    """Sixty steps come near the least squares and, there, never leave them again."""
    method = METHODS[name]
    step = jax.jit(lambda p, s, batch: method.step(Linear(), p, s, batch, None))

    def losses_of(table, right):
        batch, params = (jnp.asarray(table), jnp.asarray(right)), jnp.ones(SIZE)
        state, losses = method.init(params), []
        for _ in range(60):
            params, state, loss = step(params, state, batch)
            losses.append(float(loss))
        assert np.all(np.isfinite(losses)) and bool(jnp.all(jnp.isfinite(params)))
        return np.array(losses), params

    right = np.random.default_rng(1).normal(size=SIZE)
    for kind, table in SINGULAR.items():
        losses, _ = losses_of(table, right)
        best = np.linalg.lstsq(table, right, rcond=None)[0]
        above = losses - np.sum((table @ best - right) ** 2)
        assert above[-1] < 0.05 * above[0], (kind, above)
        assert np.all(np.diff(losses) < 1e-9 * losses[0]) or name == "spring", (kind, losses)
    # and where there is nothing to descend along, nothing moves
    losses, params = losses_of(np.zeros((SIZE, SIZE)), right)
    assert np.ptp(losses) == 0.0 and bool(jnp.all(params == 1.0))


def test_a_step_upwards_is_never_taken_where_rounding_lets_a_singular_matrix_pass():
    """With fewer rows than parameters Cholesky promises less than nothing at the least damping."""
    first, second = (np.random.default_rng(seed) for seed in (0, 2))
    table = jnp.asarray(np.outer(first.normal(size=6), second.normal(size=SIZE)))
    right = jnp.asarray(np.random.default_rng(1).normal(size=SIZE)[:6])
    method, params = LevenbergMarquardt(), jnp.ones(SIZE)
    step = jax.jit(lambda p, s: method.step(Linear(), p, s, (table, right), None))
    state, losses = method.init(params), []
    for _ in range(60):
        params, state, loss = step(params, state)
        losses.append(float(loss))
    assert np.max(np.diff(losses)) < 1e-12 * losses[0]
