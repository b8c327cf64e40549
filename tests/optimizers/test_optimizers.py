"""Levenberg-Marquardt where the answer is known, its two forms, and optax behind one contract."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from objectives import Rows, linear, rosenbrock, run

from pinnlab.optimizers import (
    Gradient,
    LevenbergMarquardt,
    MatrixFree,
    QuasiNewton,
    SketchedGaussNewton,
    Spring,
    soap,
)
from pinnlab.optimizers.levenberg_marquardt import _by_cholesky, gram_lower


@pytest.fixture
def strict():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.mark.usefixtures("strict")
def test_levenberg_marquardt_solves_rosenbrock():
    end, _, losses = run(LevenbergMarquardt(), Rows(rosenbrock), jnp.asarray([-1.2, 1.0]), 40)
    np.testing.assert_allclose(end, [1.0, 1.0], atol=1e-8)
    assert losses[0] == pytest.approx(24.2) and all(np.diff(losses) <= 0)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("n, p", [(40, 12), (12, 40)])
def test_linear_least_squares_in_a_few_steps(n, p):
    """More rows than parameters: the solution; fewer: the one of least norm, from zero."""
    a, b, objective = linear(n, p)
    end, _, _ = run(LevenbergMarquardt(damping=1e-6), objective, jnp.zeros(p), 6)
    np.testing.assert_allclose(end, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-9)


@pytest.mark.usefixtures("strict")
def test_the_dual_form_takes_the_same_step_as_the_primal_one():
    """Rows of zeros turn one form into the other without a change of the problem."""
    a, b, _ = linear(10, 25)
    padded = jnp.concatenate([a, jnp.zeros((20, 25))]), jnp.concatenate([b, jnp.zeros(20)])
    mu = jnp.asarray(1e-2)
    dual, primal = _by_cholesky(a, mu, 4), _by_cholesky(padded[0], mu, 4)
    np.testing.assert_allclose(dual(b), primal(padded[1]), rtol=1e-9, atol=1e-12)
    exact = np.linalg.solve(a.T @ a + mu * np.eye(25), a.T @ b)
    np.testing.assert_allclose(dual(b), exact, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("size, blocks", [(13, 4), (8, 1), (3, 4), (16, 16)])
def test_the_blocked_product_has_the_lower_triangle(size, blocks):
    b = jnp.asarray(np.random.default_rng(0).normal(size=(size, 7)))
    np.testing.assert_allclose(jnp.tril(gram_lower(b, blocks)), jnp.tril(b @ b.T), rtol=1e-13)


@pytest.mark.usefixtures("strict")
def test_a_trial_that_is_not_finite_is_rejected_and_damped():
    """The logarithm of a first full step is undefined; damping brings it back to x = 1."""
    objective = Rows(lambda x: jnp.log(x))
    start = jnp.asarray([30.0])  # Gauss-Newton steps to x (1 - log x) < 0
    method = LevenbergMarquardt(damping=1e-6)
    once, state, losses = run(method, objective, start, 1)
    np.testing.assert_array_equal(once, start)
    assert float(state["mu"]) > 1e-6 and np.isfinite(losses).all()
    end, _, _ = run(method, objective, start, 60)
    np.testing.assert_allclose(end, 1.0, rtol=1e-8)


@pytest.mark.usefixtures("strict")
def test_at_the_minimum_nothing_moves_or_breaks():
    end, state, _ = run(LevenbergMarquardt(), Rows(rosenbrock), jnp.asarray([1.0, 1.0]), 3)
    np.testing.assert_array_equal(end, [1.0, 1.0])
    assert all(np.isfinite(float(v)) for v in state.values())


@pytest.mark.parametrize(
    "transformation, steps, atol",
    [
        (optax.adam(0.1), 300, 1e-3),
        (optax.lbfgs(), 30, 1e-6),
        (optax.chain(optax.clip_by_global_norm(10.0), optax.sgd(0.01, momentum=0.9)), 600, 1e-3),
    ],
    ids=["adam", "lbfgs", "chain"],
)
def test_optax_transformations(transformation, steps, atol):
    a, b, objective = linear(20, 4)
    end, _, losses = run(Gradient(transformation), objective, jnp.zeros(4), steps)
    np.testing.assert_allclose(end, np.linalg.lstsq(a, b, rcond=None)[0], atol=atol)
    assert losses[0] == pytest.approx(float(b @ b))  # the loss before the step


LOOPED = {
    "levenberg-marquardt": LevenbergMarquardt(),
    "lbfgs": Gradient(optax.lbfgs()),
    "quasi-newton": QuasiNewton(),
    "spring": Spring(),
    "matrix-free": MatrixFree(rank=1),
    "sketched": SketchedGaussNewton(2, 2),
    "soap": Gradient(soap(1e-2)),
}


@pytest.mark.parametrize("name", LOOPED)
def test_steps_are_vectorised_and_loop_on_the_device(name):
    optimizer, objective = LOOPED[name], Rows(rosenbrock)

    def train(start):
        def body(_, carry):
            return optimizer.step(objective, *carry[:2], None, None)

        first = (start, optimizer.init(start), jnp.zeros(()))
        return jax.lax.fori_loop(0, 25, body, first)[0]

    starts = jnp.asarray([[-1.2, 1.0], [0.0, 0.0]])
    many = jax.jit(jax.vmap(train))(starts)
    for start, end in zip(starts, many, strict=True):
        np.testing.assert_allclose(end, jax.jit(train)(start), rtol=1e-6, atol=1e-8)
