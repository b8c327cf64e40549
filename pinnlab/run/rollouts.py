"""Operators that take a state one step on in time, trained and tested on trajectories."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from pinnlab.core import scores
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.core.precision import precision
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.equations.family import Family, lasting
from pinnlab.models.operatorreading import OperatorReading, rolled
from pinnlab.run.members import Arrays, Members, Part, make_part, whole_number
from pinnlab.run.online import KINDS, TEST, make_outputs, make_pairs
from pinnlab.run.reference import Reference
from pinnlab.run.windows import Windows
from pinnlab.solvers.classical import Classical
from pinnlab.solvers.pairs import Pairs, timed
from pinnlab.terms.base import Term
from pinnlab.terms.rollout import RolloutTerm

_KEYS = (*KINDS, "grid", "schemes", "outputs", "rollout", "data", "test")
_ROLLOUT = ("step", "steps", "warmup", "threshold")


@dataclass(frozen=True, eq=False)
class Trajectories(Members):
    """Members of an equation over one step, and their way over many.

    Arguments:
        pairs: random states, and solutions over one step, on the grid of the operator.
        data: of the training: its ``count`` is one of trajectories.
        steps: of the test.
        length: steps of a trajectory of the training.
        warmup: steps before a trajectory begins, so that states are such as occur.
        unroll: steps of the operator in a row of the training.
        pushforward: as :class:`~pinnlab.terms.rollout.RolloutTerm` has it.
        threshold: correlation that counts as lost (:func:`pinnlab.core.scores.correlation_time`).
    """

    pairs: Pairs
    data: Part
    count: int
    outputs: tuple[str, ...]
    steps: int
    length: int
    warmup: int = 0
    unroll: int = 1
    pushforward: bool = False
    threshold: float = 0.8

    @property
    def family(self) -> Family:  # type: ignore[override]
        return self.pairs.family

    @property
    def grid(self) -> Grid:  # type: ignore[override]
        return self.pairs.grid

    def terms(self) -> list[Term]:
        self._windows.prepare()
        more = {"steps": self.unroll, "pushforward": self.pushforward, "share": self.data.share}
        return [RolloutTerm(self.family, self.grid, self._windows, **more)]  # type: ignore[arg-type]

    @cached_property
    def _windows(self) -> Windows:
        return Windows(self)

    def test(self) -> Arrays:
        return self._tested

    @cached_property
    def _tested(self) -> Arrays:
        with precision("float64"):
            keys = jax.random.split(jax.random.key(TEST), self.count)
            return jax.tree.map(np.asarray, jax.jit(self.begun)(keys))

    @property
    def equation(self) -> Equation:
        return self.over(self.steps).family.equation

    def coordinates(self) -> Arrays:
        return {self._time: np.asarray(self.over(self.steps).times), **self.grid.nodes}

    def over(self, steps: int, solver: Classical | None = None) -> Pairs:
        """Pairs of the same states and their solutions at the start and after each of *steps*."""
        equation = lasting(self.family.equation, steps)
        span, family = equation.domain[self._time], replace(self.family, equation=equation)
        times = tuple(np.linspace(span.lower, span.upper, steps + 1).tolist())
        own = (solver or self.pairs.solver).lasting(steps)
        return replace(self.pairs, family=family, solver=own, times=times)

    def begun(self, keys: Any) -> dict[str, Any]:
        """The states at which trajectories begin, one a key."""
        inputs = self.pairs.at(keys)
        if not self.warmup:
            return inputs
        found = replace(self.over(self.warmup), times=()).solve(inputs)
        return {**inputs, **{name: found[name] for name in self.family.initial}}

    def reference(self, inputs: Mapping[str, Any]) -> Reference:
        solver, pairs = self.pairs.solver, self.over(self.steps)
        with precision("float64"):
            fine, _ = timed(self.over(self.steps, solver.refined()), inputs)
            coarse, seconds = timed(pairs, inputs)
        floor = {n: float(scores.relative_l2(coarse[n], fine[n]).mean()) for n in self.outputs}
        said = {"solver": type(solver).__name__, "seconds": seconds, "relative_l2": floor}
        name = f"{type(solver).__name__}, refined"
        values = {n: fine[n] for n in self.outputs}
        return Reference(name, values, floor, said, many=True, stepped=True)

    def predicted(self, reading: OperatorReading, inputs: Arrays) -> Arrays:
        return {n: v.astype(float) for n, v in rolled(reading, inputs, self.steps).items()}

    def shown(self) -> Arrays:
        shape = (self.count, 1, *self.grid.shape)
        return {n: v if v.ndim == 1 else v.reshape(shape) for n, v in self.test().items()}

    def scores(
        self, reference: Reference, reading: OperatorReading, values: Arrays, seconds: float
    ) -> dict[str, Any]:
        """How long roll-outs of the operator stay close, beside persistence and classical solvers
        that are cheaper and cheaper, until one is worse; and what they gain of what is kept."""
        truth, inputs = reference.values, self.test()
        still = {n: np.broadcast_to(v[:, :1], v.shape) for n, v in truth.items()}
        made = {
            "operator": self._close(values, truth) | {"seconds_per_step": self._seconds(reading)},
            "persistence": self._close(still, truth),
            "drift": self._drift(values),
        }
        solver: Classical | None = self.pairs.solver
        while solver is not None:
            pairs = self.over(self.steps, solver)
            try:
                with precision(reading.dtype):
                    given = {k: np.asarray(v, reading.dtype) for k, v in inputs.items()}
                    found, spent = timed(pairs, given)
            except PinnlabError:  # too coarse for a step
                break
            said = self._close({n: found[n] for n in truth}, truth)
            made[str(solver)] = said | {"seconds_per_step": spent / (self.count * self.steps)}
            if said["correlation_time"] < made["operator"]["correlation_time"]:
                break
            solver = solver.coarsened()
        return {"rollout": made}

    def _close(self, values: Mapping[str, Any], truth: Arrays) -> dict[str, Any]:
        """Medians over the members, of the worst variable."""
        times = self.coordinates()[self._time]
        lasting, errors = [], []
        for name, true in truth.items():
            found = np.asarray(values[name], float)
            until, _ = scores.correlation_time(found, true, times, self.threshold)
            lasting.append(np.median(until))
            each = scores.relative_l2(*(v.reshape(-1, *v.shape[2:]) for v in (found, true)))
            errors.append(np.median(each.reshape(true.shape[:2]), axis=0))
        every = slice(None, None, max(1, len(times) // 10))
        worst = zip(times[every], np.max(errors, axis=0)[every], strict=True)
        return {
            "correlation_time": float(min(lasting)),
            "relative_l2": {f"{t:g}": _number(error) for t, error in worst},
        }

    def _drift(self, values: Arrays) -> dict[str, Any]:
        """The largest gain of each integral that the equation keeps, over all members and times."""
        grid, domain = self.grid, self.family.equation.domain
        weights = np.broadcast_to(domain.metric.volume(grid.coordinates) * grid.weights, grid.shape)
        kept = (n for n in self.family.equation.conserved() if n in values)
        return {n: _number(np.abs(scores.drift(values[n], weights)).max()) for n in kept}

    def _seconds(self, reading: OperatorReading) -> float:
        """Of one step of one member, in a batch, compiled before."""
        inputs = self.test()
        rolled(reading, inputs, self.steps)
        begun = time.perf_counter()
        rolled(reading, inputs, self.steps)
        return (time.perf_counter() - begun) / (self.count * self.steps * reading.seeds)

    @property
    def _time(self) -> str:
        return str(self.family.equation.domain.time)


def _number(value: Any) -> float | None:
    """For JSON, which has no infinity."""
    return float(value) if np.isfinite(value) else None


def make_trajectories(
    given: Mapping[str, Any], equation: Equation, solver: Classical | None
) -> Members:
    """What ``operator`` says where it has a ``rollout``.

    Raises:
        PinnlabError: an unknown key, no solver, no step, or variables that do not step.
    """
    for key in given:
        choose("key of operator (with a rollout)", str(key), _KEYS)
    own = given["rollout"]
    for key in own:
        choose("key of operator.rollout", str(key), _ROLLOUT)
    if solver is None:
        raise PinnlabError("operator: name the solver of its trajectories (classical)")
    domain = equation.domain
    if domain.time is None or domain.axes[0] != domain.time or domain.time in given["grid"]:
        raise PinnlabError(
            "operator.rollout: it needs an equation whose first axis is time, which is no axis of "
            "operator.grid"
        )
    if "step" not in own or "steps" not in own:
        raise PinnlabError("operator.rollout: give {step: 0.1, steps: 100}, a time and a number")
    span = domain[domain.time]
    length = quantity(own["step"], span.units, "operator.rollout.step")
    short = domain.updated({domain.time: {"upper": span.lower + length}})
    pairs = make_pairs(given, equation.replace(domain=short), solver)
    outputs = make_outputs(given, equation, False)
    missing = [name for name in outputs if name not in pairs.family.initial]
    if missing:
        raise PinnlabError(
            f"operator.initial: '{missing[0]}' evolves, so that a step needs it; give its random "
            "initial values"
        )
    settings = dict(given.get("data") or {})
    more = ("steps", "unroll", "pushforward")
    data = make_part(settings, equation, pairs.grid, "operator.data", more)
    unroll = whole_number(settings.get("unroll", 1), "operator.data.unroll")
    steps = whole_number(settings.get("steps", 50), "operator.data.steps")
    if unroll > steps:
        raise PinnlabError(
            f"operator.data.unroll: {unroll} steps are more than the {steps} of a trajectory "
            "(operator.data.steps)"
        )
    return Trajectories(
        pairs,
        data,
        whole_number(given.get("test", 30), "operator.test"),
        outputs,
        whole_number(own["steps"], "operator.rollout.steps"),
        steps,
        whole_number(own.get("warmup", 0), "operator.rollout.warmup", least=0),
        unroll,
        settings.get("pushforward", False),
        own.get("threshold", 0.8),
    )
