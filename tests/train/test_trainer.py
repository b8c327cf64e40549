"""The trainer: it converges, resumes bit for bit, keeps to its budget and stops on divergence."""

import json
import time
from dataclasses import replace

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
from pinnlab.core.errors import DivergenceError
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import (
    Gradient,
    LevenbergMarquardt,
    MatrixFree,
    QuasiNewton,
    SketchedGaussNewton,
    Spring,
    soap,
)
from pinnlab.sampling import Adaptive, Sobol
from pinnlab.terms import Problem, default_terms
from pinnlab.train import Checkpoint, Fixed, GradientNorm, JsonLines, Phase, Trainer
from pinnlab.train.legs import Leg
from pinnlab.train.loop import Loop


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


def problem_of(exact=False, equation=None):
    eq, model = equation or Decay(), Model(MLP(5, 1), exact=exact)
    return Problem(eq, model, default_terms(eq, model))


class SoonThenWell(LevenbergMarquardt):
    early = 8 * 20 * 16  # eight steps of 20 points and 16 parameters


LM = LevenbergMarquardt(chunk=4)
ADAM = Gradient(optax.adam(1e-2), chunk=4)


def same(a, b):
    left, right = jax.tree.leaves(a), jax.tree.leaves(b)
    return len(left) == len(right) and all(
        np.array_equal(x, y) for x, y in zip(left, right, strict=True)
    )


class StopAfter:
    """Asks to stop once *chunks* have been reported."""

    def __init__(self, chunks):
        self.left = chunks

    def report(self, record):
        self.left -= 1

    def __call__(self):
        return self.left <= 0


def test_a_small_heat_problem_converges():
    eq = Heat()
    model = Model(MLP(12, 2))
    problem = Problem(eq, model, default_terms(eq, model))
    done = Trainer([Phase(LevenbergMarquardt(), 60, 200, Sobol(), 20)]).fit(problem)
    x = np.linspace(0, 1, 21)
    points = {"t": jnp.asarray(np.repeat(x, 21)), "x": jnp.asarray(np.tile(x, 21))}
    found = model.evaluate(done.params["network"], eq, points)["u"]
    expected = eq.exact(points)["u"]
    assert float(jnp.linalg.norm(found - expected) / jnp.linalg.norm(expected)) < 1e-4
    assert done.stopped == "steps" and done.step == 60 and len(done.history) == 6
    assert done.history[-1]["fresh_loss"] < 1e-2 * done.history[0]["fresh_loss"]


CRAFTS = {
    "levenberg-marquardt": Trainer([Phase(LM, 16, 20)]),
    "well compiled later": Trainer([Phase(SoonThenWell(chunk=4), 16, 20, resample=6)]),
    "adam, three seeds": Trainer([Phase(ADAM, 16, 20, resample=4)], seeds=3),
    "two phases, adaptive, weighted": Trainer(
        [Phase(ADAM, 8, 20, Adaptive(), 6, 0.5), Phase(LM, 8, 25, Adaptive(base=Sobol()), 6)],
        weights=GradientNorm(),
    ),
    "quasi-newton": Trainer([Phase(QuasiNewton(chunk=4), 16, 20, resample=8)]),
    "spring": Trainer([Phase(Spring(chunk=4), 16, 10, resample=2)]),
    "matrix-free": Trainer([Phase(MatrixFree(rank=5, refresh=3, chunk=4), 16, 20)]),
    "sketched": Trainer([Phase(SketchedGaussNewton(9, 12, radii=4, chunk=4), 16, 20)]),
    "soap": Trainer([Phase(Gradient(soap(1e-2), chunk=4), 16, 20)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CRAFTS)
def test_a_resumed_training_ends_bit_identical(name, tmp_path):
    trainer, problem = CRAFTS[name], problem_of()
    whole = trainer.fit(problem)
    checkpoint = Checkpoint(tmp_path / "state", "a", every=1e9)
    for chunks in (1, 2):  # killed twice: in the first phase, and for two phases in the second
        stop = StopAfter(chunks)
        part = trainer.fit(problem, checkpoint, stop.report, stop)
        assert part.stopped == "signal" and part.step < trainer.steps
    end = trainer.fit(problem, checkpoint)
    assert end.stopped == "steps" and end.step == trainer.steps
    assert same(whole.params, end.params)
    keep = ("step", "phase", "loss", "fresh_loss", "terms")
    for a, b in zip(whole.history, end.history, strict=True):
        assert all(a[key] == b[key] for key in keep)
    again = trainer.fit(problem, checkpoint)  # finished: nothing more happens
    assert again.step == trainer.steps and same(again.params, end.params)
    assert list(tmp_path.iterdir()) == [tmp_path / "state"]


def test_soon_or_well_compiled_the_steps_are_the_same():
    made = []
    for kind in (LevenbergMarquardt, SoonThenWell):
        loop = Loop(Trainer([Phase(kind(chunk=4), 12, 20)]), [Leg(problem_of())], None, list, None)
        loop.start()
        while not loop.over:
            loop.chunk()
        (compiled,) = loop._compiled.values()
        made.append(
            (loop.history, {well for name, well in compiled._programs if name == "advance"})
        )
    (soon, one), (switched, both) = made
    assert one == {False} and both == {False, True}
    for a, b in zip(soon, switched, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-8)


def test_nothing_is_compiled_but_the_programs_of_a_training(caplog):
    problem = problem_of()
    with jax.log_compiles():
        done = Trainer([Phase(LM, 12, 20, resample=4)]).fit(problem)
    made = [line for line in caplog.messages if line.startswith("Finished XLA compilation")]
    assert done.step == 12
    assert sum("jit(one)" in line for line in made) == 4  # start, advance, fresh, draw
    assert len(made) <= 4 + 2  # and whether the compiler has the options that they are made with


def test_several_seeds_are_the_single_ones():
    problem = problem_of()
    phases = [Phase(ADAM, 12, 20, resample=6)]
    many = Trainer(phases, seed=3, seeds=2).fit(problem)
    for i in range(2):
        one = Trainer(phases, seed=3 + i).fit(problem)
        member = jax.tree.map(lambda leaf, i=i: leaf[i], many.params)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), member, one.params
        )


def test_a_budget_stops_and_the_monitor_is_not_counted():
    def monitor(params):
        time.sleep(1.0)
        return {"error": 0.5}

    trainer = Trainer([Phase(Slow(), 100, 5)], budget=6.0)
    begun = time.monotonic()
    done = trainer.fit(problem_of(), monitor=monitor)
    spent = time.monotonic() - begun
    assert done.stopped == "budget" and done.step < 100
    watched = [r for r in done.history if "metrics" in r]
    assert watched and watched[0]["metrics"] == {"error": 0.5}
    assert 6.0 <= done.seconds < 8.0 and spent > done.seconds + 0.9 * len(watched)


class Slow(LevenbergMarquardt):
    """Two seconds of host time a chunk of one step."""

    def __init__(self):
        super().__init__(chunk=1)

    def step(self, objective, params, state, batch, weights):
        waited = jax.pure_callback(_wait, jax.ShapeDtypeStruct((), "float64"))
        return params, state, objective.loss(params, batch, weights) + waited


def _wait():
    time.sleep(1.0)
    return np.zeros(())


@equation
class Explosive(Decay):
    """A residual that is not finite for values beyond two; its initial value stays finite."""

    def rhs(self, f):
        return {"u": -jnp.sqrt(2.0 - f("u"))}


def test_divergence_names_the_term_and_keeps_the_last_good_state(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state", every=1e9)
    optimizer = Gradient(optax.sgd(-1.0), chunk=2)  # climbs
    trainer = Trainer([Phase(optimizer, 100, 20)])
    seen = []
    with pytest.raises(DivergenceError, match=r"residual.* is not finite") as error:
        trainer.fit(problem_of(equation=Explosive()), checkpoint, seen.append)
    kept = checkpoint.counters()
    assert f"between steps {kept['step']} and {kept['step'] + 2}" in str(error.value)
    assert f"state of step {kept['step']} is kept" in str(error.value)
    assert kept["step"] == (seen[-1]["step"] if seen else 0) < 100
    from safetensors.numpy import load_file

    assert all(np.isfinite(array).all() for array in load_file(checkpoint.path).values())


def test_checkpoints_of_others_and_damaged_ones_are_refused(tmp_path):
    problem, trainer = problem_of(), Trainer([Phase(LM, 4, 5)])
    mine = Checkpoint(tmp_path / "state", "mine")
    trainer.fit(problem, mine)
    content = mine.path.read_bytes()
    with pytest.raises(PinnlabError, match="another configuration"):
        trainer.fit(problem, Checkpoint(mine.path, "other"))
    with pytest.raises(PinnlabError, match="another configuration"):
        Trainer([Phase(LM, 4, 6)]).fit(problem, mine)  # other shapes
    with jax.enable_x64(False), pytest.raises(PinnlabError, match="another configuration"):
        trainer.fit(problem, mine)  # other precision
    damaged = [content[:-9], content[:20], b"", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0[]"]
    for bad in damaged:
        mine.path.write_bytes(bad)
        with pytest.raises(PinnlabError, match="state' cannot be read"):
            trainer.fit(problem, mine)
        assert mine.path.read_bytes() == bad


def test_nothing_is_written_where_nothing_can_be(tmp_path):
    with pytest.raises(PinnlabError, match="cannot write"):
        Trainer([Phase(LM, 4, 5)]).fit(problem_of(), Checkpoint(tmp_path / "none" / "state"))


def test_weights():
    problem = problem_of()
    params = problem.init(jax.random.key(0))
    batch = {
        n: t.place(jnp.linspace(0, 1, 9)[:, None][:, : t.dims]) for n, t in problem.by_name.items()
    }
    fixed = Fixed({"residual": 3.0})
    weights = fixed.init(problem)
    assert {n: float(w) for n, w in weights.items()} == {"residual": 3.0, "initial_0": 1.0}
    assert same(fixed.update(problem, params, batch, weights), weights)
    with pytest.raises(PinnlabError, match=r"term \(weights\) 'residul'.*initial_0, residual"):
        Fixed({"residul": 1.0}).init(problem)
    balanced = GradientNorm(momentum=0.0).update(problem, params, batch, weights)
    slopes = jax.jacrev(lambda p: problem.losses(p, batch))(params)
    norms = {n: float(w * optax.global_norm(slopes[n])) for n, w in balanced.items()}
    assert norms["residual"] == pytest.approx(norms["initial_0"], rel=1e-9)  # equal pull
    slow = GradientNorm(momentum=0.9).update(problem, params, batch, weights)
    assert float(slow["residual"]) == pytest.approx(2.7 + 0.1 * float(balanced["residual"]))


@pytest.mark.parametrize("change", [{"steps": 0}, {"points": 0}, {"reach": 0.0}, {"reach": 1.5}])
def test_wrong_phases(change):
    with pytest.raises(PinnlabError, match="a training phase needs"):
        replace(Phase(LM, 4, 5), **change)


def test_the_log_drops_what_a_resume_repeats(tmp_path):
    log = JsonLines(tmp_path / "log.jsonl")
    log.rewind(10)  # of a run that has not begun
    assert log.records() == []
    for step in (4, 8, 12):
        log({"step": step, "loss": 0.5})
    with open(log.path, "a") as stream:
        stream.write('{"step": 16, "lo')  # cut by a kill
    assert [r["step"] for r in log.records()] == [4, 8, 12]
    log.rewind(8)
    assert [r["step"] for r in log.records()] == [4, 8]
    log({"step": 12, "loss": 0.25})
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [r["step"] for r in lines] == [4, 8, 12] and lines[-1]["loss"] == 0.25
