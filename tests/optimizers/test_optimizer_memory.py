"""What a step is said to hold is what its compiled program holds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from objectives import Rows

from pinnlab.optimizers import Gradient, LevenbergMarquardt, MatrixFree, QuasiNewton, Spring

METHODS = [
    LevenbergMarquardt(),
    Spring(),
    QuasiNewton(),
    MatrixFree(rank=40),
    Gradient(optax.lbfgs(memory_size=20)),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("n, p", [(900, 300), (200, 600)])
def test_the_estimate_is_within_a_factor_of_two_and_a_half(method, n, p):
    a = jnp.asarray(np.random.default_rng(0).normal(size=(n, p)))
    params, state = jnp.zeros(p), method.init(jnp.zeros(p))

    def step(a, params, state):
        return method.step(Rows(lambda x: jnp.tanh(a @ x)), params, state, None, None)

    found = jax.jit(step).lower(a, params, state).compile().memory_analysis()
    used = found.temp_size_in_bytes + found.output_size_in_bytes
    assert used / 2.5 < method.memory(n, p, 8) < 2.5 * used


def test_the_estimate_grows_as_the_largest_array():
    """Twice the rows, twice the Jacobian; twice the parameters, four times the inverse Hessian."""
    large = 10**6
    assert LevenbergMarquardt().memory(large, 100, 8) > 0.9 * 4 * large * 100 * 8
    assert QuasiNewton().memory(100, 10**5, 8) == pytest.approx(2 * 8e10, rel=1e-2)
    assert MatrixFree(rank=50).memory(10**5, large, 8) < 8 * large * 250  # no matrix at all
    half, whole = (Gradient(optax.adam(1e-3)).memory(100, large, size) for size in (4, 8))
    assert whole == pytest.approx(2 * half, rel=1e-3)
