"""Minibatches: every part of a batch in turn, none lost, and nothing else when resumed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Initial,
    Observations,
    PinnlabError,
    Variable,
    Variables,
    parameter,
)
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import Gradient
from pinnlab.terms import Problem, default_terms
from pinnlab.train import Checkpoint, Phase, Trainer

ADAM = Gradient(optax.adam(1e-2), chunk=3)
POINTS, PART = 40, 10


@equation
class Decay(Equation):
    """u' = -k u, u(0) = 1."""

    k: Coefficient = parameter(1.5, "s-1", bounds=(0.01, 100.0))
    domain: Domain = Domain(t=Axis(0, 2, "s"))
    variables: Variables = Variables(u=Variable("u"))

    def rhs(self, f):
        return {"u": -f(self.k) * f("u")}

    def conditions(self):
        return [Initial(u=1.0)]


class Diary(Gradient):
    """Descends, and writes down the points of each step; of one term."""

    def __init__(self, term="residual", axis="t", chunk=3):
        super().__init__(optax.sgd(0.1), chunk=chunk)
        object.__setattr__(self, "pages", [])
        object.__setattr__(self, "what", (term, axis))

    def step(self, objective, params, state, batch, weights):
        term, axis = self.what
        points = batch[term][axis]
        jax.debug.callback(self.write, points, ordered=True)
        return super().step(objective, params, state, batch, weights)

    def write(self, points):
        """In single precision, which callbacks may come in."""
        self.pages.append(np.asarray(points, np.float32))


def problem_of(equation=None, exact=True, observations=()):
    eq, model = equation or Decay(), Model(MLP(5, 1), exact=exact)
    return Problem(eq, model, default_terms(eq, model, observations))


def diary(steps, observations=(), **more):
    """(steps, points of a step) of a training."""
    kept = Diary("data_u_0" if observations else "residual")
    problem = problem_of(observations=observations)
    done = Trainer([Phase(kept, steps, POINTS, **more)]).fit(problem)
    assert done.step == steps
    return np.stack(kept.pages)


class StopAfter:
    """Asks to stop once *chunks* have been reported."""

    def __init__(self, chunks):
        self.left = chunks

    def report(self, record):
        self.left -= 1

    def __call__(self):
        return self.left <= 0


def same(a, b):
    left, right = jax.tree.leaves(a), jax.tree.leaves(b)
    return len(left) == len(right) and all(map(np.array_equal, left, right))


def test_every_part_is_used_once_in_turn():
    """Across the ends of chunks of three steps: four parts, three rounds."""
    seen = diary(12, minibatch=PART)
    assert seen.shape == (12, PART) and len(np.unique(seen[:4])) == POINTS
    np.testing.assert_array_equal(seen[4:8], seen[:4])
    np.testing.assert_array_equal(seen[8:], seen[:4])


def test_new_points_begin_with_their_first_part():
    seen = diary(16, minibatch=PART, resample=8)
    assert len(np.unique(seen)) == 2 * POINTS
    np.testing.assert_array_equal(seen[4:8], seen[:4])
    np.testing.assert_array_equal(seen[12:], seen[8:12])


@pytest.mark.parametrize("minibatch", [0, POINTS])
def test_all_points_are_one_part_where_nothing_is_said(minibatch):
    seen = diary(4, minibatch=minibatch)
    assert seen.shape == (4, POINTS) and len(np.unique(seen)) == POINTS


def test_a_step_is_that_of_a_batch_of_its_points():
    """One step of descent with a part is descent on the mean over these points."""
    problem, kept = problem_of(), Diary(chunk=1)
    done = Trainer([Phase(kept, 1, POINTS, minibatch=PART)]).fit(problem)
    start = jax.jit(problem.init)(jax.random.key(0))
    batch = {"residual": {"t": jnp.asarray(kept.pages[0])}}
    slope = jax.jit(jax.grad(lambda p: problem.loss(p, batch, {"residual": 1.0})))(start)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, start, slope)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), done.params, expected
    )


def test_a_training_resumed_within_a_round_ends_bit_identical(tmp_path):
    """Chunks of three steps, rounds of four."""
    trainer, problem = Trainer([Phase(ADAM, 14, POINTS, minibatch=PART, resample=10)]), problem_of()
    whole = trainer.fit(problem)
    checkpoint = Checkpoint(tmp_path / "state", "a", every=1e9)
    for chunks, steps in ((1, 3), (2, 9)):  # killed twice
        stop = StopAfter(chunks)
        part = trainer.fit(problem, checkpoint, stop.report, stop)
        assert part.stopped == "signal" and part.step == steps
    end = trainer.fit(problem, checkpoint)
    assert end.step == 14 and same(whole.params, end.params)
    for a, b in zip(whole.history, end.history, strict=True):
        assert all(a[key] == b[key] for key in ("step", "loss", "fresh_loss"))


def test_several_seeds_are_the_single_ones():
    problem, phases = problem_of(), [Phase(ADAM, 7, POINTS, minibatch=PART)]
    many = Trainer(phases, seed=3, seeds=2).fit(problem)
    one = Trainer(phases, seed=4).fit(problem)
    member = jax.tree.map(lambda leaf: leaf[1], many.params)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), member, one.params
    )


@pytest.mark.parametrize("minibatch", [7, 41, -10])
def test_parts_that_do_not_divide_the_points(minibatch):
    with pytest.raises(PinnlabError, match="cannot be divided into minibatches") as error:
        Phase(ADAM, 4, POINTS, minibatch=minibatch)
    assert "\n" not in str(error.value)


def test_a_term_of_one_point_is_in_every_part():
    """The start of an ordinary differential equation."""
    done = Trainer([Phase(ADAM, 6, POINTS, minibatch=PART)]).fit(problem_of(exact=False))
    assert np.isfinite(done.history[-1]["loss"]) and done.step == 6


def test_all_observations_are_used():
    """Six of them in four parts."""
    times = np.linspace(0.1, 1.9, 6)
    seen = Observations("u", {"t": times}, np.exp(-1.5 * times), 0.1)
    used = diary(4, [seen], minibatch=PART)
    assert set(used.ravel().tolist()) == set(times.astype(np.float32).tolist())


def test_terms_on_sides_take_their_share():
    """Walls and start with points of their own, cut like the residual's."""
    eq = Heat()
    assert any(c == Dirichlet("x", u=0.0) for c in eq.conditions())
    problem = problem_of(eq, exact=False)
    done = Trainer([Phase(ADAM, 6, POINTS, minibatch=PART)]).fit(problem)
    assert np.isfinite(done.history[-1]["loss"])
