"""The one trainer: phases of compiled chunks of steps, checkpointed, for one seed or several."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import DivergenceError, PinnlabError
from pinnlab.optimizers.base import Optimizer
from pinnlab.sampling.points import Sampler, Uniform
from pinnlab.terms.problem import Problem
from pinnlab.train.checkpoint import Checkpoint
from pinnlab.train.compiled import Compiled
from pinnlab.train.weights import Fixed, Weighting

Record = Mapping[str, Any]
_MONITOR_SECONDS = 3.0  # between two looks at the error


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one optimizer and one number of points.

    Arguments:
        optimizer: any :class:`pinnlab.optimizers.Optimizer`.
        steps: how many.
        points: residual points in a batch; other terms take their share of it.
        sampler: where they are; adaptive samplers serve the residual, the rest is uniform.
        resample: draw new points every so many steps; 0 keeps them for the phase.
        reach: share of the time axis, from its start, on which the points lie. Phases of growing
            reach follow causality where a wrong equilibrium would be an easy way out.
    """

    optimizer: Optimizer
    steps: int
    points: int
    sampler: Sampler = field(default_factory=Uniform)
    resample: int = 0
    reach: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.points < 1 or self.resample < 0 or not 0 < self.reach <= 1:
            raise PinnlabError(
                "a training phase needs steps >= 1, points >= 1, resample >= 0 and 0 < reach <= 1; "
                f"got {self.steps}, {self.points}, {self.resample} and {self.reach}"
            )


@dataclass
class Training:
    """What a training leaves.

    ``params`` has a leading axis of seeds if there are several; ``history`` the records;
    ``stopped`` says why it ended: ``steps``, ``budget`` or ``signal``.
    """

    params: Any
    history: list[dict[str, Any]]
    step: int
    seconds: float
    compile_seconds: float
    stopped: str


@dataclass(frozen=True)
class Trainer:
    """Minimises a problem's rows in phases.

    Arguments:
        phases: in order; each starts its optimizer anew from the parameters so far.
        weights: of the terms.
        budget: seconds, compiling included, after which training stops at the next chunk's end.
        seed, seeds: the first seed, and how many are trained at once.
        fresh: number of points of the loss that is reported, drawn anew each time.

    Raises:
        DivergenceError: the loss is no longer finite; the checkpoint keeps the last good state.
    """

    phases: Sequence[Phase]
    weights: Weighting = field(default_factory=Fixed)
    budget: float | None = None
    seed: int = 0
    seeds: int = 1
    fresh: int = 1024

    @property
    def steps(self) -> int:
        """The steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def fit(
        self,
        problem: Problem,
        checkpoint: Checkpoint | None = None,
        report: Callable[[Record], None] = lambda record: None,
        stop: Callable[[], bool] = lambda: False,
        monitor: Callable[[Any], dict[str, float]] | None = None,
    ) -> Training:
        """Train from the start, or from *checkpoint* if it holds a state.

        *report* is given a record after each chunk; *stop* is asked then, and a true answer ends
        the training with a checkpoint. *monitor* turns parameters into metrics for the records,
        every few seconds; its own time is not counted.
        """
        loop = _Loop(self, problem, checkpoint, report, monitor)
        loop.restore()
        stopped = "steps"
        while loop.phase < len(self.phases):
            if stop():
                stopped = "signal"
                break
            if self.budget is not None and loop.seconds >= self.budget:
                stopped = "budget"
                break
            loop.chunk()
        loop.save()
        return Training(
            params=loop.state["params"],
            history=loop.history,
            step=loop.step,
            seconds=loop.seconds,
            compile_seconds=loop.compile_seconds,
            stopped=stopped,
        )


class _Loop:
    """The moving parts of one ``fit``."""

    def __init__(
        self,
        trainer: Trainer,
        problem: Problem,
        checkpoint: Checkpoint | None,
        report: Callable[[Record], None],
        monitor: Callable[[Any], dict[str, float]] | None,
    ):
        self.trainer, self.problem, self.checkpoint = trainer, problem, checkpoint
        self.report, self.monitor, self._watched_at = report, monitor, 0.0
        self.phase = self.inside = self.step = 0
        self.seconds = self.compile_seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self._saved_at, self._clock = time.monotonic(), time.monotonic()
        self._enter(None)

    def _enter(self, params: Any) -> None:
        """Compile for the current phase and make its state from *params*."""
        phase = self.trainer.phases[min(self.phase, len(self.trainer.phases) - 1)]
        seeds = np.arange(self.trainer.seed, self.trainer.seed + self.trainer.seeds)
        self.compiled = Compiled(
            self.problem, phase, self.trainer.weights, self.trainer.fresh, seeds
        )
        weights = self.state["weights"] if params is not None else None
        self.state = self.compiled.start(self.phase, params, weights)

    def restore(self) -> None:
        """Continue from the checkpoint, where there is one."""
        if self.checkpoint is None:
            return
        counters = self.checkpoint.counters()
        if counters is None:
            return
        self.phase = counters["phase"]
        self._enter(self.state["params"])
        found = self.checkpoint.read(self.state)
        assert found is not None
        self.state, counters = found
        self.inside, self.step = counters["inside"], counters["step"]
        self.seconds, self.compile_seconds = counters["seconds"], counters["compile_seconds"]
        self.history = counters["history"]
        self._clock = time.monotonic()

    def save(self) -> None:
        """Write a checkpoint."""
        if self.checkpoint is None:
            return
        names = ("phase", "inside", "step", "seconds", "compile_seconds", "history")
        self.checkpoint.write(self.state, {name: getattr(self, name) for name in names})
        self._saved_at = time.monotonic()

    def chunk(self) -> None:
        """Advance by one compiled chunk, then log, and checkpoint when it is time."""
        phase = self.trainer.phases[self.phase]
        left = phase.steps - self.inside
        if phase.resample:
            if self.inside % phase.resample == 0 and self.inside:
                self.state = self.compiled.draw(self.state, self.step)
            left = min(left, phase.resample - self.inside % phase.resample)
        n = min(left, phase.optimizer.chunk)
        state, loss = self.compiled.advance(self.state, n)
        losses = self.compiled.fresh(state, self.step + n)
        self._check(state, loss, self.step + n)
        self.state, self.step, self.inside = state, self.step + n, self.inside + n
        self._tick()
        self._record(loss, losses)
        if self.inside >= phase.steps:
            self.phase, self.inside = self.phase + 1, 0
            if self.phase < len(self.trainer.phases):
                self._enter(self.state["params"])
        due = self.checkpoint is not None and (
            time.monotonic() - self._saved_at > self.checkpoint.every
        )
        if due:
            self.save()

    def _tick(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._clock
        self._clock = now
        self.compile_seconds += self.compiled.take_compile_seconds()

    def _record(self, loss: Any, losses: Mapping[str, Any]) -> None:
        weights = self.state["weights"]
        record = {
            "step": self.step,
            "phase": self.phase,
            "seconds": round(self.seconds, 3),
            "loss": float(np.mean(loss)),
            "fresh_loss": float(np.mean(sum(weights[n] * losses[n] for n in losses))),
            "terms": {n: float(np.mean(v)) for n, v in losses.items()},
        }
        if self.monitor is not None and self.seconds - self._watched_at >= _MONITOR_SECONDS:
            record["metrics"] = self.monitor(self.state["params"])
            self._watched_at, self._clock = self.seconds, time.monotonic()
        self.history.append(record)
        self.report(record)

    def _check(self, state: Any, loss: Any, step: int) -> None:
        finite = all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(state["params"]))
        if finite and bool(np.all(np.isfinite(loss))):
            return
        self.save()
        terms = self.compiled.fresh(state, step)
        bad = [n for n, value in terms.items() if not np.all(np.isfinite(value))]
        raise DivergenceError(
            f"the training diverged between steps {self.step} and {step}: "
            f"{', '.join(bad) or 'the loss'} is not finite. The state of step {self.step} is "
            "kept; lower the learning rate, clip gradients, or use float64"
        )
