"""Rows of several steps: zero for the exact step, and what the gradient sees of them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain
from pinnlab.core.grid import Fourier, Grid
from pinnlab.equations import Advection
from pinnlab.equations.family import Family
from pinnlab.models.operator import OperatorModel
from pinnlab.terms import Problem
from pinnlab.terms.instances import INPUT, SOLUTION
from pinnlab.terms.rollout import RolloutTerm

N, STEPS = 8, 3
DOMAIN = Domain(t=Axis(0, 1), x=Axis(0, 1, periodic=True))


class Times(nn.Module):
    """The field times one number."""

    outputs: int = 1

    @nn.compact
    def __call__(self, x):
        return x * self.param("by", nn.initializers.ones, (), x.dtype)


def made(pushforward):
    """u, 2u, 4u, 8u: the exact step doubles."""
    equation = Advection(domain=DOMAIN)
    grid = Grid(DOMAIN, {"x": (Fourier(), N)})
    family = Family(equation, grid, initial=("u",))
    model = OperatorModel(Times(), ("u",), grid, exact=False)
    term = RolloutTerm(family, grid, None, steps=STEPS, pushforward=pushforward)
    first = jnp.asarray(np.random.default_rng(0).normal(size=(5, N)))
    truth = jnp.stack([2.0 ** (k + 1) * first for k in range(STEPS)], axis=1)
    batch = {"rollout": {INPUT + "u": first, SOLUTION + "u": truth}}
    return Problem(equation, model, [term]), batch


def loss(problem, batch, by):
    network = {"params": {"by": jnp.asarray(by)}}
    return problem.loss({"network": network, "equation": {}}, batch, {"rollout": 1.0})


@pytest.mark.parametrize("pushforward", [False, True])
def test_the_exact_step_leaves_nothing(pushforward):
    problem, batch = made(pushforward)
    assert float(loss(problem, batch, 2.0)) < 1e-25


def test_the_loss_is_the_mean_of_the_relative_errors():
    problem, batch = made(False)
    by = 1.7
    expected = np.mean([((by / 2) ** k - 1) ** 2 for k in (1, 2, 3)])
    assert float(loss(problem, batch, by)) == pytest.approx(expected)


def test_the_pushforward_counts_the_first_and_the_last_step():
    problem, batch = made(True)
    by = 1.7
    expected = np.mean([((by / 2) ** k - 1) ** 2 for k in (1, 3)])
    assert float(loss(problem, batch, by)) == pytest.approx(expected)


def test_the_gradient_goes_through_all_steps_or_through_one():
    by = 1.7
    (problem, batch), (pushed, _) = made(False), made(True)
    whole = float(jax.grad(lambda b: loss(problem, batch, b))(by))
    cut = float(jax.grad(lambda b: loss(pushed, batch, b))(by))
    ratio = [(by / 2) ** k - 1 for k in (1, 2, 3)]
    slopes = [k * (by / 2) ** (k - 1) / 2 for k in (1, 2, 3)]
    assert whole == pytest.approx(sum(2 * r * s for r, s in zip(ratio, slopes, strict=True)) / 3)
    last = (by / 2) ** 2 / 2  # the state before the last step is taken as it is
    assert cut == pytest.approx((2 * ratio[0] * slopes[0] + 2 * ratio[2] * last) / 2)
