"""Objectives whose minimum is known."""

import jax
import jax.numpy as jnp
import numpy as np


class Rows:
    """The objective of a function from parameters to rows."""

    def __init__(self, function):
        self.function = function

    def rows(self, params, batch, weights):
        return self.function(params)

    def loss(self, params, batch, weights):
        rows = self.function(params)
        return jnp.vdot(rows, rows)

    def jacobian(self, params, batch, weights):
        return self.function(params), jax.jacfwd(self.function)(params)


def run(optimizer, objective, params, steps):
    """The end, the state and the losses before each step."""
    step = jax.jit(lambda p, s: optimizer.step(objective, p, s, None, None))
    state, losses = optimizer.init(params), []
    for _ in range(steps):
        params, state, loss = step(params, state)
        losses.append(float(loss))
    return params, state, losses


def rosenbrock(p):
    return jnp.stack([10.0 * (p[1] - p[0] ** 2), 1.0 - p[0]])


def linear(n, p, seed=0):
    """Random rows A x - b, and the objective of their squares."""
    random = np.random.default_rng(seed)
    a, b = jnp.asarray(random.normal(size=(n, p))), jnp.asarray(random.normal(size=n))
    return a, b, Rows(lambda x: a @ x - b)
