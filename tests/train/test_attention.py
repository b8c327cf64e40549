"""Weights of points: what they are, that they follow the residual, and that a training resumes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from pinnlab.core import PinnlabError
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.poisson import Poisson
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import Gradient, LevenbergMarquardt
from pinnlab.terms import Problem, default_terms
from pinnlab.terms.base import MEASURE, WEIGHT
from pinnlab.train import Causal, Phase, ResidualAttention, Trainer

ADAM, LM = Gradient(optax.adam(1e-2), chunk=20), LevenbergMarquardt(chunk=5)


def problem_of(equation=None, exact=False):
    equation, model = equation or Heat(), Model(MLP(6, 1), exact=exact)
    return Problem(equation, model, default_terms(equation, model))


def batch_of(problem, n=40, seed=0):
    random = np.random.default_rng(seed)
    return {
        name: term.place(jnp.asarray(random.uniform(size=(n, term.dims))))
        for name, term in problem.by_name.items()
    }


def sizes(problem, params, batch):
    return np.asarray(jnp.linalg.norm(problem.raw("residual", params, batch["residual"]), axis=1))


def test_a_weighed_point_counts_as_often_as_its_weight():
    """Weights of two and of one half, as a multiple: the point twice, and the other once."""
    problem = problem_of()
    params, whole = problem.init(jax.random.key(0)), batch_of(problem, 6)
    ones = {n: jnp.asarray(1.7) for n in whole}
    counts = np.array([1, 2, 0, 1, 3, 1])  # eight points in place of six
    repeated = {
        name: {axis: jnp.repeat(c, counts, total_repeat_length=8) for axis, c in columns.items()}
        for name, columns in whole.items()
    }
    for column in (WEIGHT, MEASURE):
        weight = jnp.asarray(counts * 6.0 / 8.0)
        weighed = {name: {**columns, column: weight} for name, columns in whole.items()}
        expected, slope = problem.value_and_grad(params, repeated, ones)
        assert float(problem.loss(params, weighed, ones)) == pytest.approx(float(expected))
        value, found = problem.value_and_grad(params, weighed, ones)
        assert float(value) == pytest.approx(float(expected))
        flat = ravel_pytree(slope)[0]
        np.testing.assert_allclose(ravel_pytree(found)[0], flat, rtol=1e-10, atol=1e-13)
        rows = problem.rows(params, weighed, ones)
        again, jacobian = problem.jacobian(params, weighed, ones)
        np.testing.assert_allclose(rows, again, rtol=1e-12)
        assert float(rows @ rows) == pytest.approx(float(expected))
        np.testing.assert_allclose(2.0 * rows @ jacobian, flat, rtol=1e-10, atol=1e-13)


def test_residual_attention_settles_at_the_square_of_the_residual():
    problem = problem_of()
    params, batch = problem.init(jax.random.key(0)), batch_of(problem)
    weighting = ResidualAttention(gamma=0.9, eta=0.1, every=1)
    seen = weighting.enter(problem, batch)
    np.testing.assert_array_equal(seen["residual"][WEIGHT], np.ones(40))
    assert WEIGHT not in seen["initial_0"]  # conditions keep weight one
    size = sizes(problem, params, batch)
    one, _ = weighting.attend(problem, params, seen, {})
    level = 0.9 + 0.1 * size / size.max()
    np.testing.assert_allclose(one["residual"][WEIGHT], level**2 / np.mean(level**2))
    for _ in range(300):
        seen, _ = weighting.attend(problem, params, seen, {})
    settled = size**2 / np.mean(size**2)
    np.testing.assert_allclose(seen["residual"][WEIGHT], settled, rtol=1e-8, atol=1e-8)


def test_a_rare_update_stands_for_as_many_steps():
    problem = problem_of()
    params, batch = problem.init(jax.random.key(0)), batch_of(problem)
    often, rarely = ResidualAttention(every=1), ResidualAttention(every=7)
    seen = often.enter(problem, batch)
    once, _ = rarely.attend(problem, params, seen, {})
    for _ in range(7):
        seen, _ = often.attend(problem, params, seen, {})
    np.testing.assert_allclose(once["residual"][WEIGHT], seen["residual"][WEIGHT], rtol=1e-12)


def test_new_points_take_the_attention_of_their_neighbours():
    problem = problem_of()
    weighting, params = (
        ResidualAttention(every=1, gamma=0.5, eta=0.5),
        problem.init(jax.random.key(0)),
    )
    old = weighting.enter(problem, batch_of(problem, 150))
    old, _ = weighting.attend(problem, params, old, {})
    same = weighting.enter(problem, batch_of(problem, 150), old)
    np.testing.assert_array_equal(same["residual"][WEIGHT], old["residual"][WEIGHT])
    order = np.random.default_rng(1).permutation(150)
    moved = {
        n: {a: c[order] + 1e-9 for a, c in cs.items()} for n, cs in batch_of(problem, 150).items()
    }
    found = weighting.enter(problem, moved, old)["residual"][WEIGHT]
    np.testing.assert_allclose(found, np.asarray(old["residual"][WEIGHT])[order], rtol=1e-12)


def test_causal_weights_are_those_of_the_definition():
    problem = problem_of()
    params, batch = problem.init(jax.random.key(0)), batch_of(problem, 64)
    weighting = Causal(chunks=4, tolerances=(0.3, 2.0), every=1)
    weights = weighting.init(problem)
    seen, after = weighting.attend(problem, params, weighting.enter(problem, batch), weights)
    t, size = np.asarray(batch["residual"]["t"]), sizes(problem, params, batch)
    edges = np.linspace(t.min(), t.max(), 5)
    index = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, 3)
    means = np.array([np.mean(size[index == k] ** 2) for k in range(4)])
    by_hand = np.exp(-0.3 * np.array([means[:k].sum() for k in range(4)]))
    expected = by_hand[index] / np.mean(by_hand[index])
    np.testing.assert_allclose(seen["residual"][WEIGHT], expected, rtol=1e-12)
    assert float(after["_last_weight"]) == pytest.approx(by_hand[-1])
    assert weighting.told(after) == {
        "tolerance": 0.3, "last_weight": pytest.approx(by_hand[-1]), "reached": False
    }  # fmt: skip


def test_causal_tolerances_rise_when_all_of_time_is_learned():
    problem = problem_of()
    zero = jax.tree.map(jnp.zeros_like, problem.init(jax.random.key(0)))  # u = 0: no residual
    weighting = Causal(tolerances=(1.0, 5.0, 7.0), every=1)
    seen, weights = weighting.enter(problem, batch_of(problem)), weighting.init(problem)
    stages = []
    for _ in range(4):
        seen, weights = weighting.attend(problem, zero, seen, weights)
        stages.append(weighting.told(weights))
    assert [s["tolerance"] for s in stages] == [5.0, 7.0, 7.0, 7.0]
    assert [s["reached"] for s in stages] == [False, True, True, True]
    np.testing.assert_allclose(seen["residual"][WEIGHT], np.ones(40))


@pytest.mark.parametrize("optimizer", [ADAM, LM], ids=["adam", "levenberg-marquardt"])
@pytest.mark.parametrize(
    "weighting",
    [ResidualAttention(every=2), Causal(chunks=4, every=1)],
    ids=lambda w: type(w).__name__,
)
def test_trainings_with_weighed_points_converge(optimizer, weighting):
    steps = 60 if optimizer is LM else 400
    phase = Phase(optimizer, steps, 60, resample=steps // 4)
    done = Trainer([phase], weights=weighting).fit(problem_of(exact=True))
    fresh = [record["fresh_loss"] for record in done.history]
    assert fresh[-1] < (1e-6 if optimizer is LM else 3e-4)
    told = done.history[-1].get("weighting")
    assert (told is not None) == isinstance(weighting, Causal)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: ResidualAttention(gamma=1.0), "residual attention needs 0 < gamma < 1"),
        (lambda: ResidualAttention(every=0), "every >= 1"),
        (lambda: Causal(chunks=1), "causal ones need chunks >= 2"),
        (lambda: Causal(tolerances=(1.0, 0.1)), "increasing tolerances"),
        (lambda: Causal().init(problem_of(Poisson())), "Poisson has no time axis"),
    ],
)
def test_what_cannot_be(wrong, message):
    with pytest.raises(PinnlabError, match=message):
        wrong()
