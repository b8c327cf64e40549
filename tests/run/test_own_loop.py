"""The parts without the trainer: a loop of one's own around a problem's loss."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from pinnlab.equations.canonical.heat import Heat
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.terms import Problem, default_terms


def test_a_training_loop_of_ones_own():
    equation, model = Heat(), Model(MLP(10, 2))
    problem = Problem(equation, model, default_terms(equation, model))
    params, optimizer = problem.init(jax.random.key(0)), optax.adam(1e-2)
    weights, state = {"residual": 1.0}, optimizer.init(params)
    place = problem.by_name["residual"].place

    @jax.jit
    def step(i, carry):
        params, state = carry
        batch = {"residual": place(jax.random.uniform(jax.random.key(i), (100, 2)))}
        slope = jax.grad(problem.loss)(params, batch, weights)
        updates, state = optimizer.update(slope, state)
        return optax.apply_updates(params, updates), state

    params, state = jax.lax.fori_loop(0, 600, step, (params, state))
    x = jnp.linspace(0, 1, 11)
    points = {"t": jnp.full(11, 0.5), "x": x}
    found = model.evaluate(params["network"], equation, points)["u"]
    np.testing.assert_allclose(found, equation.exact(points)["u"], atol=0.02)
