"""Weights of points: what they are, that they follow the residual, and that a training resumes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from pinnlab.core import Axis, Domain, Initial, PinnlabError, Variable, Variables
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.poisson import Poisson
from pinnlab.models import Model
from pinnlab.networks import MLP, Separable
from pinnlab.optimizers import Gradient, LevenbergMarquardt
from pinnlab.sampling import R3, Quadrature
from pinnlab.terms import Problem, default_terms
from pinnlab.terms.base import MEASURE, WEIGHT
from pinnlab.train import (
    Causal,
    Checkpoint,
    Fixed,
    Phase,
    ResidualAttention,
    Trainer,
)
from pinnlab.train.compiled import Compiled

ADAM, LM = Gradient(optax.adam(1e-2), chunk=20), LevenbergMarquardt(chunk=5)


@equation
class Growth(Equation):
    """u' = 2 t u, u(0) = 1: one axis, and a residual that lives at late times."""

    domain: Domain = Domain(t=Axis(0, 1, "s"))
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        return {"u": 2.0 * f.coordinates["t"] * f("u")}

    def conditions(self):
        return [Initial(u=1.0)]


def problem_of(equation=None, exact=False):
    equation, model = equation or Heat(), Model(MLP(6, 1), exact=exact)
    return Problem(equation, model, default_terms(equation, model))


def batch_of(problem, n=40, seed=0):
    random = np.random.default_rng(seed)
    return {
        name: term.place(jnp.asarray(random.uniform(size=(n, term.dims))))
        for name, term in problem.by_name.items()
    }


def start_of(problem, seed=0):
    return jax.jit(problem.init)(jax.random.key(seed))


def sizes(problem, params, batch):
    rows = jax.jit(lambda p, b: problem.raw("residual", p, b))(params, batch["residual"])
    return np.linalg.norm(rows, axis=1)


def attended(weighting, problem, params):
    """The hook, compiled: (batch, weights) -> (batch, weights)."""
    return jax.jit(lambda batch, weights: weighting.attend(problem, params, batch, weights))


def test_a_weighed_point_counts_as_often_as_its_weight():
    """Weights of two and of one half, as a multiple: the point twice, and the other once."""
    problem = problem_of(Growth())
    params, whole = start_of(problem), batch_of(problem, 6)
    ones = {n: jnp.asarray(1.7) for n in whole}
    counts = np.array([1, 2, 0, 1, 3, 1])  # eight points in place of six
    repeated = {
        name: {axis: jnp.repeat(c, counts, total_repeat_length=8) for axis, c in columns.items()}
        for name, columns in whole.items()
    }
    expected, slope = jax.jit(lambda b: problem.value_and_grad(params, b, ones))(repeated)
    slope = ravel_pytree(slope)[0]
    weight = jnp.asarray(counts * 6.0 / 8.0)

    @jax.jit
    def readings(batch):
        value, found = problem.value_and_grad(params, batch, ones)
        loss, rows = problem.loss(params, batch, ones), problem.rows(params, batch, ones)
        return value, ravel_pytree(found)[0], loss, rows, *problem.jacobian(params, batch, ones)

    for column in (WEIGHT, MEASURE):
        weighed = {name: {**columns, column: weight} for name, columns in whole.items()}
        value, found, loss, rows, again, jacobian = readings(weighed)
        assert float(loss) == pytest.approx(float(expected))
        assert float(value) == pytest.approx(float(expected))
        assert float(rows @ rows) == pytest.approx(float(expected))
        np.testing.assert_allclose(rows, again, rtol=1e-12)
        np.testing.assert_allclose(found, slope, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(2.0 * rows @ jacobian, slope, rtol=1e-10, atol=1e-13)


def test_residual_attention_settles_at_the_square_of_the_residual():
    problem = problem_of()
    params, batch = start_of(problem), batch_of(problem)
    weighting = ResidualAttention(gamma=0.9, eta=0.1, every=1)
    seen = weighting.enter(problem, batch)
    np.testing.assert_array_equal(seen["residual"][WEIGHT], np.ones(40))
    assert WEIGHT not in seen["initial_0"]  # conditions keep weight one
    size = sizes(problem, params, batch)
    attend = attended(weighting, problem, params)
    one, _ = attend(seen, {})
    level = 0.9 + 0.1 * size / size.max()
    np.testing.assert_allclose(one["residual"][WEIGHT], level**2 / np.mean(level**2))
    for _ in range(300):
        seen, _ = attend(seen, {})
    settled = size**2 / np.mean(size**2)
    np.testing.assert_allclose(seen["residual"][WEIGHT], settled, rtol=1e-8, atol=1e-8)


def test_a_rare_update_stands_for_as_many_steps():
    problem = problem_of()
    params, batch = start_of(problem), batch_of(problem)
    often, rarely = ResidualAttention(every=1), ResidualAttention(every=7)
    seen = often.enter(problem, batch)
    once, _ = attended(rarely, problem, params)(seen, {})
    attend = attended(often, problem, params)
    for _ in range(7):
        seen, _ = attend(seen, {})
    np.testing.assert_allclose(once["residual"][WEIGHT], seen["residual"][WEIGHT], rtol=1e-12)


def test_new_points_take_the_attention_of_their_neighbours():
    problem = problem_of()
    weighting, params = (
        ResidualAttention(every=1, gamma=0.5, eta=0.5),
        start_of(problem),
    )
    old = weighting.enter(problem, batch_of(problem, 150))
    old, _ = attended(weighting, problem, params)(old, {})
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
    params, batch = start_of(problem), batch_of(problem, 64)
    weighting = Causal(chunks=4, tolerances=(0.3, 2.0), every=1)
    weights = weighting.init(problem)
    seen, after = attended(weighting, problem, params)(weighting.enter(problem, batch), weights)
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
    zero = jax.tree.map(jnp.zeros_like, start_of(problem))  # u = 0: no residual
    weighting = Causal(tolerances=(1.0, 5.0, 7.0), every=1)
    seen, weights = weighting.enter(problem, batch_of(problem)), weighting.init(problem)
    stages, attend = [], attended(weighting, problem, zero)
    for _ in range(4):
        seen, weights = attend(seen, weights)
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
    steps = 30 if optimizer is LM else 400
    phase = Phase(optimizer, steps, 60)
    done = Trainer([phase], weights=weighting).fit(problem_of(Growth(), exact=True))
    fresh = [record["fresh_loss"] for record in done.history]
    assert fresh[-1] < (1e-6 if optimizer is LM else 0.01)  # Adam begins at 0.2
    told = done.history[-1].get("weighting")
    assert (told is not None) == isinstance(weighting, Causal)


def test_quadrature_and_attention_multiply():
    """Attention has mean one over the domain, whatever share of it the points stand for."""
    problem = problem_of(exact=True)
    compiled = Compiled(problem, Phase(ADAM, 5, 30, Quadrature()), Causal(), 10, np.array([0]))
    batch = compiled.start(0, None, None)["batch"]["residual"]
    assert batch["t"].shape == (25,)
    np.testing.assert_allclose(batch[MEASURE], Quadrature().measure(25, 2, jnp.float64))
    weighting, params = (
        Causal(chunks=3, tolerances=(50.0,), every=1),
        start_of(problem, 1),
    )
    attend = attended(weighting, problem, params)
    seen, _ = attend({"residual": batch}, weighting.init(problem))
    weight, share = seen["residual"][WEIGHT], seen["residual"][MEASURE]
    assert float(jnp.max(weight) / jnp.min(weight)) > 1.01
    assert float(jnp.mean(share * weight)) == pytest.approx(1.0, rel=1e-12)


def test_r3_keeps_the_points_above_the_mean_and_draws_the_others_anew():
    problem = problem_of(exact=True)
    compiled = Compiled(problem, Phase(ADAM, 9, 64, R3(), 3), Fixed(), 10, np.array([0]))
    state = compiled.start(0, None, None)
    size = sizes(problem, state["params"], state["batch"])
    old, new = state["batch"]["residual"], compiled.draw(state, 3)["batch"]["residual"]
    stays = np.asarray(new["x"] == old["x"])
    np.testing.assert_array_equal(stays, size > size.mean())
    np.testing.assert_array_equal(stays, new["t"] == old["t"])
    assert 5 < stays.sum() < 60


RESUMED = {
    "attention, retained points": Trainer(
        [Phase(ADAM, 8, 12, R3(), 4)], ResidualAttention(every=3)
    ),
    "causal, two seeds": Trainer([Phase(ADAM, 8, 12, resample=4)], Causal(every=1), seeds=2),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_resumed_training_ends_bit_identical(name, tmp_path):
    """What weightings and samplers remember is in the checkpoint."""
    trainer, problem = RESUMED[name], problem_of(Growth(), exact=True)
    whole, checkpoint = trainer.fit(problem), Checkpoint(tmp_path / "state", every=1e9)
    seen = []
    part = trainer.fit(problem, checkpoint, seen.append, lambda: len(seen) == 1)
    assert part.step == 4 < trainer.steps
    end = trainer.fit(problem, checkpoint)
    assert end.step == trainer.steps
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(end.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [r["loss"] for r in whole.history] == [r["loss"] for r in end.history]


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


def test_tensor_products_of_points_are_weighed_but_not_chosen_one_by_one():
    equation, model = Heat(), Model(Separable(), exact=False)
    problem = Problem(equation, model, default_terms(equation, model))

    def state(sampler):
        phase, seeds = Phase(ADAM, 9, 30, sampler, 3), np.array([0])
        compiled = Compiled(problem, phase, ResidualAttention(), 10, seeds, abstract=True)
        return compiled, compiled.start(0, None, None)

    batch = state(Quadrature())[1]["batch"]["residual"]
    assert batch["t"].shape == (5, 1) and batch["x"].shape == (1, 5)
    assert batch[MEASURE].shape == batch[WEIGHT].shape == (25,)
    compiled, begun = state(R3())
    with pytest.raises(PinnlabError, match="R3 chooses points one by one"):
        compiled.draw(begun, 3)
