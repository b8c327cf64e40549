"""SOAP is Adam where it turns nothing, and does not see a rotation where it turns all."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnlab.optimizers import Gradient, soap


def orthogonal(n, seed):
    return jnp.asarray(np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0])


def train(transformation, loss, params, steps):
    """The parameters after each step."""

    class Objective:
        def loss(self, params, batch, weights):
            return loss(params)

    method = Gradient(transformation)
    step = jax.jit(lambda p, s: method.step(Objective(), p, s, None, None))
    state, path = method.init(params), []
    for _ in range(steps):
        params, state, _ = step(params, state)
        path.append(params)
    return path


def skewed(size, decades):
    """A quadratic of a kernel whose axes of curvature are turned against the coordinates."""
    random = np.random.default_rng(0)
    left, right = orthogonal(size, 1), orthogonal(size, 2)
    target = jnp.asarray(random.normal(size=(size, size)))
    scale = jnp.logspace(0, -decades, size)
    weights = scale[:, None] * scale[None, :]
    return lambda w: jnp.sum((weights * (left.T @ (w - target) @ right)) ** 2)


@pytest.mark.parametrize("shape, largest", [((4, 3), 2), ((6,), 100), ((), 100)])
def test_without_axes_to_turn_it_is_adam(shape, largest):
    target = jnp.asarray(np.random.default_rng(0).normal(size=shape))

    def loss(w):
        return jnp.sum((w - target) ** 4)

    ours = train(soap(1e-2, 0.9, 0.99, largest=largest), loss, jnp.zeros(shape), 20)
    adam = train(optax.adam(1e-2, 0.9, 0.99), loss, jnp.zeros(shape), 20)
    np.testing.assert_allclose(ours[-1], adam[-1], rtol=1e-10)


@pytest.mark.parametrize("frequency", [1, 3])
def test_a_rotated_problem_takes_the_rotated_path(frequency):
    """f(A W B') from the rotated start; Adam, which scales the coordinates, does not."""
    a, b, loss = orthogonal(4, 5), orthogonal(4, 6), skewed(4, 0.3)
    start = jnp.asarray(np.random.default_rng(4).normal(size=(4, 4)))

    def gap(transformation):
        path = train(transformation, loss, start, 10)
        turned = train(transformation, lambda w: loss(a.T @ w @ b), a @ start @ b.T, 10)
        return float(jnp.abs(a @ path[-1] @ b.T - turned[-1]).max())

    assert gap(soap(1e-2, frequency=frequency)) < 1e-6
    assert gap(optax.adam(1e-2)) > 1e-3


def test_one_axis_alone_may_be_turned():
    """An axis beyond the limit is left alone; the other one is still invariant."""
    a = orthogonal(3, 5)
    target = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8)))
    scale = jnp.asarray([[1.0], [0.3], [0.1]])

    def loss(w):
        return jnp.sum((scale * (w - target)) ** 2)

    start = jnp.ones((3, 8))
    path = train(soap(1e-2, largest=4), loss, start, 10)
    turned = train(soap(1e-2, largest=4), lambda w: loss(a.T @ w), a @ start, 10)
    np.testing.assert_allclose(a @ path[-1], turned[-1], atol=1e-9)


def test_it_passes_adam_where_the_curvature_is_turned():
    loss, start = skewed(8, 1.0), jnp.zeros((8, 8))
    ours, adam = (train(t, loss, start, 300)[-1] for t in (soap(3e-2), optax.adam(3e-2)))
    assert float(loss(ours)) < 0.1 * float(loss(adam))


def test_kernels_of_more_axes_and_mixed_trees():
    params = {"a": jnp.ones((2, 3, 4)), "b": jnp.zeros(4), "c": jnp.asarray(2.0)}

    def loss(p):
        return sum(jnp.sum((leaf - 0.5) ** 2) for leaf in p.values())

    end = train(soap(optax.exponential_decay(5e-2, 50, 0.5)), loss, params, 300)[-1]
    assert float(loss(end)) < 1e-6
