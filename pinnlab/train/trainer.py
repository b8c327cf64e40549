"""The one trainer: phases of compiled chunks of steps, checkpointed, for one seed or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.precision import PRECISIONS
from pinnlab.optimizers.base import Optimizer
from pinnlab.sampling.points import Sampler, Uniform
from pinnlab.terms.problem import Problem
from pinnlab.train.checkpoint import Checkpoint
from pinnlab.train.legs import Leg, check
from pinnlab.train.loop import Loop, Monitor, Record
from pinnlab.train.weights import Fixed, Weighting


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
        until: end the phase early, once the loss is at most this. Windows of time that are easy
            then leave their steps to those that are not.
        set: other values of the equation's parameters, to come from an easier problem to the one
            that is asked: ``{"nu": 0.1}``, units allowed. The last phase solves the equation
            itself.
        precision: ``float32`` for phases that need no more; the last one has the run's.
        minibatch: points of one step, where a batch shall serve many; 0 for all of them.
    """

    optimizer: Optimizer
    steps: int
    points: int
    sampler: Sampler = field(default_factory=Uniform)
    resample: int = 0
    reach: float = 1.0
    until: float = 0.0
    set: Mapping[str, Any] = field(default_factory=dict)
    precision: str | None = None
    minibatch: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.points < 1 or self.resample < 0 or not 0 < self.reach <= 1:
            raise PinnlabError(
                "a training phase needs steps >= 1, points >= 1, resample >= 0 and 0 < reach <= 1; "
                f"got {self.steps}, {self.points}, {self.resample} and {self.reach}"
            )
        if self.minibatch and (self.minibatch < 1 or self.points % self.minibatch):
            raise PinnlabError(
                f"a training phase of {self.points} points cannot be divided into minibatches of "
                f"{self.minibatch}; give a divisor"
            )
        if self.precision is not None:
            choose("precision (phases)", self.precision, PRECISIONS)

    @property
    def parts(self) -> int:
        """The minibatches of a batch."""
        return self.points // self.minibatch if self.minibatch else 1


@dataclass
class Training:
    """What a training leaves.

    ``params`` has a leading axis of seeds if there are several, and ``legs`` those of each leg
    that was reached, of which they are the last; ``history`` the records; ``stopped`` says why it
    ended: ``steps``, ``budget`` or ``signal``.
    """

    params: Any
    legs: Sequence[Any]
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

    def steps_of(self, legs: Sequence[Leg]) -> int:
        """The steps of all phases of *legs*."""
        each = (self.phases if leg.phases is None else leg.phases for leg in legs)
        return sum(phase.steps for phases in each for phase in phases)

    def fit(
        self,
        problem: Problem | Sequence[Leg],
        checkpoint: Checkpoint | None = None,
        report: Callable[[Record], None] = lambda record: None,
        stop: Callable[[], bool] = lambda: False,
        monitor: Monitor | None = None,
    ) -> Training:
        """Train from the start, or from *checkpoint* if it holds a state.

        *problem* may be a sequence of legs, each of which starts from the one before; a budget is
        shared among them by their steps. *report* is given a record after each chunk; *stop* is
        asked then, and a true answer ends the training with a checkpoint. *monitor* turns the
        parameters of the legs so far into metrics for the records, every few seconds; its own
        time is not counted.
        """
        legs = [Leg(problem)] if isinstance(problem, Problem) else problem
        check(legs, self.phases)
        loop = Loop(self, legs, checkpoint, report, monitor)
        loop.start()
        stopped = "steps"
        while not loop.over:
            if stop():
                stopped = "signal"
                break
            if self.budget is not None and loop.seconds >= self.budget:
                stopped = "budget"
                break
            loop.chunk()
        loop.save()
        if stopped == "steps" and loop.cut:
            stopped = "budget"
        reached = loop.reached
        return Training(
            params=reached[-1],
            legs=reached,
            history=loop.history,
            step=loop.step,
            seconds=loop.seconds,
            compile_seconds=loop.compile_seconds,
            stopped=stopped,
        )
