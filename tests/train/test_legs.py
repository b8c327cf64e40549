"""Trainings in sequence: windows of time, their errors, their budget, and their resumption."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Domain,
    Initial,
    PinnlabError,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.compiling import program
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.poisson import Poisson
from pinnlab.models import Model, NetworkReading
from pinnlab.models.windows import WindowedReading, bases, edges
from pinnlab.networks import MLP
from pinnlab.optimizers import Gradient, LevenbergMarquardt
from pinnlab.sampling import Adaptive, Sobol
from pinnlab.terms import Problem, default_terms
from pinnlab.train import Checkpoint, GradientNorm, Phase, Trainer, compiled, loop
from pinnlab.train.legs import staged, windowed

LM = LevenbergMarquardt(chunk=4, acceleration=0.0)  # which takes longer to compile than to run
ADAM = Gradient(optax.adam(1e-2), chunk=4)


@equation
class Spring(Equation):
    """u'' = -k u, u(0) = 1, u'(0) = 0."""

    k: Coefficient = parameter(4.0, "s-2", bounds=(0.01, 100.0))
    domain: Domain = Domain(t=Axis(0, 3, "s"))
    variables: Variables = Variables(u=Variable("u", order=2))

    def rhs(self, f):
        return {"u": -f(self.k) * f("u")}

    def conditions(self):
        return [Initial(u=1.0), Initial(1, u=0.0)]


def windows_of(eq, count, model, nodes=None):
    """Legs, and how what they leave is read."""
    ends = edges(eq, count)
    legs = windowed(
        eq, ends, lambda of: Problem(of, model, default_terms(of, model)), bases(eq, nodes)
    )
    return legs, lambda done, seeds=1: WindowedReading(eq, model, done.legs, seeds, ends)


def test_errors_of_windows_add_up_at_most():
    """Heat forgets, so that the error at the end is no more than the sum of what each window adds
    to the exact course from the state that it was handed."""
    eq, x = Heat(), np.linspace(0, 1, 65)
    legs, reading_of = windows_of(eq, 3, Model(MLP(6, 1)), 33)
    done = Trainer([Phase(LM, 24, 60, Sobol(), 12)]).fit(legs)
    reading = reading_of(done)

    def size(values):
        return np.linalg.norm(values) / np.sqrt(x.size)

    def exactly(values, span):
        """From *values* by the sine series."""
        k = np.pi * np.arange(1, 64)
        sines = np.sin(np.outer(k, x[1:-1]))
        return (np.exp(-0.1 * k**2 * span) * (2 / 64 * sines @ values[1:-1])) @ np.sin(
            np.outer(k, x)
        )

    added = []
    for low, high in zip(reading.edges[:-1], reading.edges[1:], strict=True):
        end = high if high == reading.edges[-1] else np.nextafter(high, 0.0)
        course = exactly(reading("u", t=low, x=x), high - low)
        added.append(size(reading("u", t=end, x=x) - course))
    truth = np.exp(-0.1 * np.pi**2) * np.sin(np.pi * x)
    final = size(reading("u", t=1.0, x=x) - truth)
    assert 1e-7 < final <= 1.02 * sum(added) < 1e-3
    handed = [r["handover_error"] for r in done.history if "handover_error" in r]
    assert len(handed) == 2 and max(handed) < 1e-9
    assert [r["window"] for r in done.history] == sorted(6 * [1, 2, 3])
    assert done.step == 72 and len(done.legs) == 3


def test_a_spring_goes_on_with_its_speed():
    """Soft conditions and two seeds: each has a state of its own to hand over."""
    legs, reading_of = windows_of(Spring(), 3, Model(MLP(6, 1), exact=False))
    done = Trainer([Phase(LM, 60, 30, Sobol(), 20)], seeds=2).fit(legs)
    t = np.linspace(0, 3, 31)
    for found in reading_of(done, 2).members("u", t=t):
        np.testing.assert_allclose(found, np.cos(2 * t), atol=2e-3)


class StopAfter:
    """Asks to stop once *chunks* have been reported."""

    def __init__(self, chunks):
        self.left = chunks

    def report(self, record):
        self.left -= 1

    def __call__(self):
        return self.left <= 0


def test_resumed_inside_the_second_window_the_end_is_bit_identical(tmp_path):
    trainer = Trainer([Phase(ADAM, 12, 15, Adaptive(), 6)], weights=GradientNorm())
    legs, _ = windows_of(Spring(), 3, Model(MLP(4, 1), exact=False))
    whole = trainer.fit(legs)
    checkpoint, stop = Checkpoint(tmp_path / "state", "a", every=1e9), StopAfter(5)
    part = trainer.fit(legs, checkpoint, stop.report, stop)  # a window is 4, 2, 4 and 2 steps
    assert part.stopped == "signal" and part.history[-1]["window"] == len(part.legs) == 2
    end = trainer.fit(legs, checkpoint)
    assert end.stopped == "steps" and end.step == 36
    for a, b in zip(jax.tree.leaves(whole.legs), jax.tree.leaves(end.legs), strict=True):
        np.testing.assert_array_equal(a, b)
    keep = ("step", "window", "phase", "loss", "fresh_loss", "terms", "handover_error")
    for a, b in zip(whole.history, end.history, strict=True):
        assert all(a.get(key) == b.get(key) for key in keep)
    with pytest.raises(PinnlabError, match="another configuration"):
        trainer.fit(windows_of(Spring(), 2, Model(MLP(5, 1)))[0], checkpoint)


def test_a_budget_is_shared_and_one_length_is_compiled_once(monkeypatch):
    class Clock:
        """A second for each look at it: once a chunk."""

        now = 0.0

        def monotonic(self):
            self.now += 1.0
            return self.now

    made = []

    def counted(*args, **kwargs):
        made.append(args)
        return program(*args, **kwargs)

    monkeypatch.setattr(loop, "time", Clock())
    monkeypatch.setattr(compiled, "program", counted)
    legs, _ = windows_of(Spring(), 4, Model(MLP(2, 1)))
    done = Trainer([Phase(ADAM, 10_000, 2)], budget=20.0).fit(legs)
    assert done.stopped == "budget" and len(done.legs) == 4
    chunks = [sum(r["window"] == k for r in done.history) for k in (1, 2, 3, 4)]
    assert sum(chunks) == 20 and set(chunks) <= {4, 5, 6}
    assert len(made) == 8  # start, advance, fresh for two problems, and two handovers


def test_what_is_fixed_is_not_trained():
    legs, _ = windows_of(Spring(), 2, Model(MLP(3, 1)))
    done = Trainer([Phase(ADAM, 1, 4)]).fit(legs)
    given = done.legs[1]["equation"]
    assert float(given["shift"]) == 1.5
    speed = given["states"][1]["u"].at({"t": jnp.zeros(())})
    assert legs[1].problem.init(jax.random.key(0))["equation"] == {} and np.isfinite(speed)


# ---------------------------------------------------------------- stages


def stages_of(eq, first, *more):
    """Problems whose models correct one another."""
    models = [first]
    for network in more:
        models.append(Model(network, exact=first.exact, before=models[-1]))
    return [Problem(eq, m, default_terms(eq, m)) for m in models]


def test_a_second_stage_corrects_the_first_and_keeps_its_conditions():
    eq, side = Poisson(), np.linspace(0, 1, 17)
    problems = stages_of(eq, Model(MLP(6, 1)), MLP(12, 1, slope=2.0))
    phases = [Phase(LM, 40, 100, Sobol(), 20)], [Phase(LM, 80, 300, Sobol(), 40)]
    seen = []
    done = Trainer(phases[0]).fit(staged(problems, phases), report=seen.append)
    truth = eq.exact({"x": side[:, None], "y": side})["u"]
    found = [
        NetworkReading(eq, p.model, params).on({"x": side, "y": side})["u"]
        for p, params in zip(problems, done.legs, strict=True)
    ]
    errors = [np.abs(values - truth).max() for values in found]
    assert errors[1] < 0.1 * errors[0] < 1e-3
    assert np.abs(found[1][[0, -1]]).max() == np.abs(found[1][:, [0, -1]]).max() == 0.0
    # the log goes on in the rows of the equation: the correction begins where it was left
    losses = {r["stage"]: r for r in reversed(seen)}
    last = [r for r in seen if r["stage"] == 1][-1]["fresh_loss"]
    assert losses[2]["loss"] < 10 * last and 0 < losses[2]["correction"] < 0.1
    frozen = done.legs[1]["network"]["before"]
    jax.tree.map(np.testing.assert_array_equal, frozen, done.legs[0]["network"])


def test_the_size_of_a_correction_follows_the_residual_that_is_left():
    """Adam too sees a problem of order one, and learned parameters go on."""
    eq, tree = Spring(k=3.0), jax.tree.leaves
    first, second = stages_of(eq, Model(MLP(4, 1), exact=False), MLP(6, 1))
    phases = [Phase(LM, 24, 20, Sobol())], [Phase(ADAM, 20, 20)]
    learned = [Problem(p.equation, p.model, p.terms, ["k"]) for p in (first, second)]
    done = Trainer(phases[0]).fit(staged(learned, phases))
    size = float(done.legs[1]["network"]["size"])
    batch = {"residual": learned[0].by_name["residual"].place(jnp.linspace(0, 1, 200)[:, None])}
    left = float(jnp.sqrt(learned[0].losses(done.legs[0], batch)["residual"]))
    assert 0.01 * left < size < 100 * left and left < 0.1
    start, end = (float(tree(leg["equation"])[0]) for leg in done.legs)
    assert start != end and abs(start - end) < 1.0


def test_a_stage_resumes_bit_identical(tmp_path):
    problems = stages_of(Spring(), Model(MLP(4, 1)), MLP(5, 1))
    legs = staged(problems, [None, [Phase(ADAM, 12, 15, Adaptive(), 6)]])
    trainer = Trainer([Phase(ADAM, 8, 15)], weights=GradientNorm())
    whole, checkpoint = trainer.fit(legs), Checkpoint(tmp_path / "state", "a", every=1e9)
    stop = StopAfter(3)
    part = trainer.fit(legs, checkpoint, stop.report, stop)
    assert part.history[-1]["stage"] == 2 and part.step == 12
    end = trainer.fit(legs, checkpoint)
    assert end.step == trainer.steps_of(legs) == 20
    jax.tree.map(np.testing.assert_array_equal, whole.legs, end.legs)


# ---------------------------------------------------------------- phases


def values_of(eq, model, params):
    t = np.linspace(0, 3, 16)
    return t, NetworkReading(eq, model, params)("u", t=t)


def test_a_phase_may_solve_another_equation_on_the_way(tmp_path):
    eq, model = Spring(), Model(MLP(8, 1))
    problem = Problem(eq, model, default_terms(eq, model))
    phases = [Phase(LM, 60, 60, set={"k": "1 s-2"}), Phase(LM, 80, 60)]
    stop = StopAfter(15)  # chunks of the first phase
    checkpoint = Checkpoint(tmp_path / "state", every=1e9)
    part = Trainer(phases).fit(problem, checkpoint, stop.report, stop)
    assert part.step == 60
    t, found = values_of(eq, model, part.params)
    np.testing.assert_allclose(found, np.cos(t), atol=1e-2)
    t, found = values_of(eq, model, Trainer(phases).fit(problem, checkpoint).params)
    np.testing.assert_allclose(found, np.cos(2 * t), atol=1e-2)


def test_a_phase_may_have_a_precision_of_its_own(tmp_path):
    model = Model(MLP(4, 1))
    trainer = Trainer([Phase(ADAM, 8, 15, precision="float32"), Phase(ADAM, 8, 15)])

    def kinds(tree):
        return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}

    problem = Problem(Spring(), model, default_terms(Spring(), model))
    whole, checkpoint, stop = trainer.fit(problem), Checkpoint(tmp_path / "state"), StopAfter(1)
    part = trainer.fit(problem, checkpoint, stop.report, stop)
    end = trainer.fit(problem, checkpoint)
    assert (kinds(part.params), kinds(end.params)) == ({"float32"}, {"float64"})
    jax.tree.map(np.testing.assert_array_equal, whole.params, end.params)

    # the state that a window hands over does not go through single precision
    legs, reading_of = windows_of(Spring(), 2, model)
    done = trainer.fit(legs)
    assert kinds(done.legs) == {"float64"}
    below, above = reading_of(done)("u", t=[np.nextafter(1.5, 0.0), 1.5])
    assert below == pytest.approx(above, abs=1e-14)


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ([Phase(LM, 1, 2, set={"k": 1.0})], "phases: the last one has the equation's own"),
        ([Phase(LM, 1, 2, precision="float32")], "and a precision other than float64"),
        ([Phase(LM, 1, 2, set={"j": 1.0}), Phase(LM, 1, 2)], r"parameter \(phases.set\) 'j'"),
        ([Phase(LM, 1, 2, set={"k": "1 kg"}), Phase(LM, 1, 2)], "kg"),
    ],
)
def test_phases_that_do_not_fit(phases, said):
    model = Model(MLP(2, 1))
    with pytest.raises(PinnlabError, match=said):
        Trainer(phases).fit(Problem(Spring(), model, default_terms(Spring(), model)))


def test_a_phase_of_an_unknown_precision():
    with pytest.raises(PinnlabError, match=r"precision \(phases\) 'float16'"):
        Phase(LM, 1, 2, precision="float16")
