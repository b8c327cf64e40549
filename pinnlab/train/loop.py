"""The moving parts of one training: legs, phases and chunks, with their log and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import jax
import numpy as np

from pinnlab.core.errors import DivergenceError, PinnlabError
from pinnlab.train.checkpoint import Checkpoint
from pinnlab.train.compiled import Compiled, State
from pinnlab.train.legs import Given, Leg

if TYPE_CHECKING:
    from pinnlab.train.trainer import Phase, Trainer

Record = Mapping[str, Any]
Monitor = Callable[[Sequence[Any]], dict[str, float]]
_MONITOR_SECONDS = 3.0  # between two looks at the error, or
_MONITOR_SHARE = 8.0  # so many times what a look takes
_COUNTERS = (
    *("leg", "phase", "inside", "step", "seconds", "compile_seconds", "history"),
    *("told", "begun", "cut"),
)


class Loop:
    """The state of one ``fit``, advanced chunk by chunk.

    ``leg`` and ``phase`` say where it is, ``inside`` how many steps into the phase, ``done`` holds
    the parameters of the legs behind it, ``given`` what the leg was given, in the run's precision,
    ``begun`` the seconds at which it began, ``told`` what its handover told, and ``cut`` whether
    the budget ended a leg before its last step.
    """

    def __init__(
        self,
        trainer: Trainer,
        legs: Sequence[Leg],
        checkpoint: Checkpoint | None,
        report: Callable[[Record], None],
        monitor: Monitor | None,
    ):
        self.trainer, self.legs, self.checkpoint = trainer, legs, checkpoint
        self.report, self.monitor, self._watch_at = report, monitor, _MONITOR_SECONDS
        self.leg = self.phase = self.inside = self.step = 0
        self.seconds = self.compile_seconds = self.begun = 0.0
        self.cut = False
        self.history: list[dict[str, Any]] = []
        self.told: dict[str, float] = {}
        self.done: list[Any] = []
        self.given: Given = {}
        self.state: State = {}
        self._compiled: dict[tuple, Compiled] = {}
        self._saved_at, self._clock = time.monotonic(), time.monotonic()

    @property
    def over(self) -> bool:
        """Whether the last leg has made its last step."""
        return self.leg == len(self.legs) - 1 and self.phase >= len(self._phases(self.leg))

    @property
    def reached(self) -> list[Any]:
        """The parameters of each leg so far, with what was given to it."""
        return [*self.done, self._here().whole(self.state)]

    def start(self) -> None:
        """Continue from the checkpoint, where there is one; else begin."""
        if not self._restore():
            self._begin()

    def save(self) -> None:
        """Write a checkpoint."""
        if self.checkpoint is None:
            return
        kept = {"done": self.done, "given": self.given, "state": self.state}
        self.checkpoint.write(kept, {name: getattr(self, name) for name in _COUNTERS})
        self._saved_at = time.monotonic()

    def chunk(self) -> None:
        """Advance by one compiled chunk, then log, and checkpoint when it is time."""
        phase, compiled = self._phases(self.leg)[self.phase], self._here()
        left = phase.steps - self.inside
        if phase.resample:
            if self.inside % phase.resample == 0 and self.inside:
                self.state = compiled.draw(self.state, self.step, self._early(phase, 0))
            left = min(left, phase.resample - self.inside % phase.resample)
        n = min(left, phase.optimizer.chunk)
        early = self._early(phase, n)
        state, loss, finite = compiled.advance(self.state, n, self.inside, early)
        if not finite:
            self._stop(state, self.step + n)
        losses = compiled.fresh(state, self.step + n, early)
        if self.phase == self.inside == 0:
            self._check_slope(state, loss)
        self.state, self.step, self.inside = state, self.step + n, self.inside + n
        self._tick()
        self._record(loss, losses)
        self._go_on(phase, bool(np.all(loss <= phase.until)))
        due = self.checkpoint is not None and (
            time.monotonic() - self._saved_at > self.checkpoint.every
        )
        if due:
            self.save()

    def _early(self, phase: Phase, n: int) -> bool:
        """Whether the training, after *n* steps more, is too short for a well compiled program."""
        size = sum(leaf.size for leaf in jax.tree.leaves(self.state["params"]))
        return (self.step + n) * phase.points * size <= phase.optimizer.early

    def _phases(self, leg: int) -> Sequence[Phase]:
        own = self.legs[leg].phases
        return self.trainer.phases if own is None else own

    def _here(self) -> Compiled:
        """The programs of the current phase, which legs with one problem share."""
        phase = self._phases(self.leg)[min(self.phase, len(self._phases(self.leg)) - 1)]
        key = (id(self.legs[self.leg].problem), id(phase))
        if key not in self._compiled:
            self._compiled[key] = self._programs(self.leg, phase)
        return self._compiled[key]

    def _programs(self, leg: int, phase: Phase, abstract: bool = False) -> Compiled:
        trainer = self.trainer
        seeds = np.arange(trainer.seed, trainer.seed + trainer.seeds)
        problem = self.legs[leg].problem
        if phase.set:
            problem = replace(problem, equation=problem.equation.replace(**phase.set))
        return Compiled(problem, phase, trainer.weights, trainer.fresh, seeds, abstract)

    def _begin(self) -> None:
        """Start the current leg from what the one before left."""
        leg, params, given, told = self.legs[self.leg], None, {}, {}
        if leg.handover is not None:
            before = self.legs[self.leg - 1].problem
            params, given, told = self._here().begin(leg.handover, before, self.done[-1], self.leg)
        self.told = {name: float(np.max(value)) for name, value in told.items()}
        self.begun, self.given = self.seconds, given
        self.state = self._here().start(self.phase, params, None, given)

    def _go_on(self, phase: Phase, enough: bool) -> None:
        """Enter the next phase or leg, where the current one is at its end."""
        if enough or self.inside >= phase.steps:
            self.phase, self.inside = self.phase + 1, 0
        at_end = self.phase >= len(self._phases(self.leg))
        if self.leg < len(self.legs) - 1 and (at_end or self._spent()):
            self.cut |= not at_end
            self.done.append(self._here().whole(self.state))
            self.leg, self.phase, self.inside = self.leg + 1, 0, 0
            self._begin()
        elif self.inside == 0 and not at_end:
            params, weights = self.state["params"], self.state["weights"]
            self.state = self._here().start(self.phase, params, weights, self.given)

    def _spent(self) -> bool:
        """Whether the leg had its share of the budget: by steps, of what was left as it began."""
        if self.trainer.budget is None:
            return False
        own, *later = (
            sum(phase.steps for phase in self._phases(leg))
            for leg in range(self.leg, len(self.legs))
        )
        share = own / (own + sum(later))
        return self.seconds - self.begun >= share * (self.trainer.budget - self.begun)

    def _restore(self) -> bool:
        """Whether there was a checkpoint; its state is then the current one."""
        counters = self.checkpoint.counters() if self.checkpoint is not None else None
        if self.checkpoint is None or counters is None:
            return False
        self.leg = min(counters["leg"], len(self.legs) - 1)
        self.phase = counters["phase"]
        found = self.checkpoint.read(self._template())
        assert found is not None
        for name, value in found[1].items():
            setattr(self, name, value)
        self.done, self.given, self.state = (found[0][k] for k in ("done", "given", "state"))
        self._clock = time.monotonic()
        return True

    def _template(self) -> dict[str, Any]:
        """The shapes of what a checkpoint at the current leg and phase holds."""
        done: list[Any] = []
        params: Any = None
        given: Any = {}
        for i in range(self.leg + 1):
            leg, before = self.legs[i], self.legs[i - 1]
            last = self.phase if i == self.leg else len(self._phases(i)) - 1
            phase = self._phases(i)[min(last, len(self._phases(i)) - 1)]
            compiled = self._programs(i, phase, abstract=True)
            if leg.handover is None:
                params, given = None, {}
            elif i < 2 or leg.problem is not before.problem:  # else they are like those before
                params, given, _ = compiled.begin(leg.handover, before.problem, done[-1], i)
            state = compiled.start(0, params, None, given)
            done.append(compiled.whole(state))
        return {"done": done[:-1], "given": given, "state": state}

    def _check_slope(self, state: State, loss: Any) -> None:
        """Raise :class:`PinnlabError` if nothing was trained because no row depends on anything."""
        pairs = zip(*(jax.tree.leaves(s["params"]) for s in (self.state, state)), strict=True)
        if not np.any(loss > 0) or not all(np.array_equal(a, b) for a, b in pairs):
            return
        if self._here().slope(self.state) == 0.0:
            raise PinnlabError(
                f"the training cannot begin: the loss is {float(np.max(loss)):.3g}, and no row of "
                f"{', '.join(self.legs[self.leg].problem.by_name)} depends on a parameter. See "
                "that the equation's rhs asks for its variables, and that conditions do not give "
                "them everywhere"
            )

    def _tick(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._clock
        self._clock = now
        self.compile_seconds += sum(c.take_compile_seconds() for c in self._compiled.values())

    def _record(self, loss: Any, losses: Mapping[str, Any]) -> None:
        weights = {name: np.asarray(value) for name, value in self.state["weights"].items()}
        scale = np.asarray(self.state["given"].get("unit", 1.0)) ** -2  # as the equation has it
        losses = {n: v * scale for n, v in losses.items()}
        record = {
            "step": self.step,
            **self.legs[self.leg].label,
            "phase": self.phase,
            "seconds": round(self.seconds, 3),
            "loss": float(np.mean(loss * scale)),
            "fresh_loss": float(np.mean(sum(weights[n] * losses[n] for n in losses))),
            "terms": {n: float(np.mean(v)) for n, v in losses.items()},
            **self.told,
        }
        self.told = {}
        weighting = self.trainer.weights.told(weights)
        if weighting:
            record["weighting"] = weighting
        if self.monitor is not None and self.seconds >= self._watch_at:
            begun = time.monotonic()
            record["metrics"] = self.monitor(self.reached)
            self._clock = time.monotonic()
            gap = max(_MONITOR_SECONDS, _MONITOR_SHARE * (self._clock - begun))
            self._watch_at = self.seconds + gap
        self.history.append(record)
        self.report(record)

    def _stop(self, state: State, step: int) -> NoReturn:
        """Keep the last good state, and say which terms of the new one are not finite."""
        self.save()
        terms = self._here().fresh(state, step)
        bad = [n for n, value in terms.items() if not np.all(np.isfinite(value))]
        raise DivergenceError(
            f"the training diverged between steps {self.step} and {step}: "
            f"{', '.join(bad) or 'the loss'} is not finite. The state of step {self.step} is "
            "kept; lower the learning rate, clip gradients, or use float64"
        )
