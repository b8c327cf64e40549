"""Programs answer as their functions do, however they are compiled."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import compiling
from pinnlab.core.precision import precision
from pinnlab.equations.canonical.heat import Heat
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import LevenbergMarquardt
from pinnlab.terms import Problem, default_terms
from pinnlab.train import Phase, Trainer
from pinnlab.train.legs import Leg
from pinnlab.train.loop import Loop


def tower(x):
    return jnp.sum(jnp.tanh(jnp.sin(x) @ jnp.outer(x, x)) ** 2)


@pytest.mark.parametrize("often", [True, False])
@pytest.mark.parametrize(("kind", "accuracy"), [("float32", 1e-5), ("float64", 1e-13)])
def test_answers_and_their_derivatives_do_not_depend_on_how_a_program_is_compiled(
    often, kind, accuracy
):
    with precision(kind):
        x = jnp.linspace(-1.0, 1.0, 7)
        assert x.dtype == kind
        function = jax.value_and_grad(tower)
        made = compiling.program(function, x, often=often)(x)
        for found, expected in zip(made, function(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=accuracy, atol=accuracy)


def test_options_that_this_xla_does_not_have_are_left_out(monkeypatch):
    monkeypatch.setattr(compiling, "_ONCE", {jax.default_backend(): {"xla_of_another_time": 1}})
    assert float(compiling.program(lambda x: x + 1, 1.0, often=False)(1.0)) == 2.0


@pytest.mark.parametrize("plain", [{}, {jax.default_backend(): {"xla_of_another_time": 1}}])
def test_where_there_is_one_way_no_program_is_made_twice(plain, monkeypatch):
    monkeypatch.setattr(compiling, "_ONCE", plain)
    model = Model(MLP(3, 1))
    problem = Problem(Heat(), model, default_terms(Heat(), model))
    loop = Loop(Trainer([Phase(LevenbergMarquardt(), 20, 20)]), [Leg(problem)], None, list, None)
    loop.start()
    while not loop.over:
        loop.chunk()
    (made,) = loop._compiled.values()
    assert {often for _, often in made._programs} == {True}
