"""Initial values with a guess of their evolution: exact at the start, and good after it."""

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab import equations
from pinnlab.core import Axis, Domain
from pinnlab.models import Model
from pinnlab.networks import MLP


def test_the_model_starts_from_the_values_and_corrects_the_guess():
    problem, model = equations.AllenCahn(), Model(MLP(6, 1))
    params = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0), problem, jnp.float64))
    x = jnp.linspace(-1, 1, 41)
    for time, right in ((0.0, problem.start({"x": x})), (0.3, None)):
        points = {"t": jnp.full(41, time), "x": x}
        found = model.evaluate(params, problem, points)["u"]
        right = problem.later(points) if right is None else right
        np.testing.assert_allclose(found, right, atol=2e-10)


def test_the_guess_for_allen_cahn_solves_the_equation_next_to_the_kink():
    """To the order that the neglected curvature of the initial state leaves; unrounded, the kink
    would be an infinite source."""
    problem = equations.AllenCahn(r=0.0, d=1e-3)
    x, t = jnp.asarray([0.9999, -0.995, 0.98]), jnp.full(3, 0.05)

    def later(t, x):
        return problem.later({"t": t, "x": x})

    rate = jax.vmap(jax.grad(later))(t, x)
    bend = jax.vmap(jax.grad(jax.grad(later, 1), 1))(t, x)
    residual = rate - problem.d * bend
    assert float(jnp.max(jnp.abs(residual))) < 0.05 * float(jnp.max(jnp.abs(rate)))


def test_the_guess_has_the_values_on_another_axis_too():
    problem = equations.AllenCahn(domain=Domain(t=Axis(0.5, 1), x=Axis(-1.5, 1.5, periodic=True)))
    x = {"t": jnp.full(7, 0.5), "x": jnp.linspace(-1.5, 1.5, 7)}
    np.testing.assert_allclose(problem.later(x), problem.start(x), atol=2e-9)
