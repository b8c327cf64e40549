"""Two ways to a solution: a trained network, or the experiment's classical solver."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from omegaconf import DictConfig, OmegaConf

from pinnlab.core.errors import DivergenceError, PinnlabError
from pinnlab.core.parameters import Profile
from pinnlab.equations.base import Equation
from pinnlab.models.windows import WindowedReading
from pinnlab.run.build import build_model, build_priors, build_stages, build_trainer
from pinnlab.run.config import fingerprint
from pinnlab.run.memory import check_memory
from pinnlab.run.observed import Observed
from pinnlab.run.plan import Plan, make_plan
from pinnlab.run.reference import Reference
from pinnlab.run.signals import stopping
from pinnlab.run.sized import sized_phases
from pinnlab.run.solution import trained
from pinnlab.run.task import Task
from pinnlab.solvers.gridsolution import started
from pinnlab.train import Checkpoint, JsonLines, ProgressBar, Training
from pinnlab.train.legs import check


@dataclass
class Outcome:
    """A solution with what is known of the way to it; arrays are on the output grid."""

    equation: Equation
    reading: Any
    method: str
    values: Mapping[str, np.ndarray]
    seconds: float
    residual: Mapping[str, np.ndarray] = field(default_factory=dict)
    spread: Mapping[str, np.ndarray] = field(default_factory=dict)
    learned: dict[str, tuple] = field(default_factory=dict)
    compile_seconds: float = 0.0
    steps: int = 0
    points: int = 0
    parameters: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = "done"
    signal: int | None = None
    error: Exception | None = None
    more: dict[str, Any] = field(default_factory=dict)  # for the summary

    def learned_summary(self) -> dict[str, Any]:
        """Learned parameters as plain numbers: value, lower and upper end of the interval."""
        made = {}
        for name, interval in self.learned.items():
            keys = ("value", "lower", "upper")
            made[name] = {k: np.asarray(v).tolist() for k, v in zip(keys, interval, strict=True)}
        return made


def classical(cfg: DictConfig, folder: Path, task: Task) -> Outcome:
    """Solve with the experiment's classical solver."""
    equation, coordinates, solver = task.equation, task.coordinates, task.solver
    assert solver is not None
    times = list(coordinates[equation.domain.time]) if equation.domain.time else []
    begun = time.monotonic()
    solution = solver.solve(equation, times)
    values = started(solution, equation, coordinates)
    return Outcome(
        equation,
        solution,
        f"classical ({type(solver).__name__})",
        values,
        time.monotonic() - begun,
        points=int(np.prod([len(c) for c in solution.grid.nodes.values()], initial=1)),
    )


def build(cfg: DictConfig, equation: Equation, observed: Observed | None) -> Plan:
    """What is trained and how; nothing is computed.

    Raises:
        PinnlabError: settings that do not fit together, a network that cannot be made, or a
            training that needs more memory than there is.
    """
    model, trainer = build_model(cfg), build_trainer(cfg)
    if not trainer.phases:
        trainer = replace(trainer, phases=sized_phases(model, equation, cfg.steps))
    seen = [observed.training()] if observed else []
    windows = OmegaConf.to_container(OmegaConf.create({"given": cfg.windows}), resolve=True)
    assert isinstance(windows, dict)
    priors, infer = build_priors(cfg, equation), list(cfg.infer)
    stages = build_stages(cfg)
    plan = make_plan(equation, model, trainer, seen, priors, infer, windows["given"], stages)
    check(plan.legs, trainer.phases)
    try:
        plan.parameters(len(plan.legs))
    except (TypeError, ValueError, ArithmeticError) as error:
        why = str(error).splitlines()[0]
        if isinstance(error, ArithmeticError):  # an initial distribution over no inputs
            why += "; give it sizes (width, depth, rank) of at least 1"
        raise PinnlabError(f"network: it cannot be built: {why}") from error
    check_memory(plan)
    return plan


def pinn(cfg: DictConfig, folder: Path, task: Task) -> Outcome:
    """Train a network, continuing from the folder's checkpoint if there is one."""
    equation, coordinates = task.equation, task.coordinates
    plan = build(cfg, equation, task.observed)
    if not cfg.quiet:
        print(check_memory(plan), flush=True)
    trainer, monitor = plan.trainer, _monitor(plan, coordinates, task.reference)
    done, error, number = fit(plan, cfg, folder, monitor)
    made = plan.reading(done.legs)
    tensor = dict(zip(coordinates, np.ix_(*coordinates.values()), strict=True))
    members = {name: made.members(name, **tensor) for name in equation.variables}
    return Outcome(
        equation=equation if plan.edges else trained(made, {}).equation,
        reading=made,
        method="pinn",
        values={name: m.mean(axis=0) for name, m in members.items()},
        seconds=done.seconds,
        residual={name: made.residual(name, **tensor) for name in equation.variables},
        spread={n: m.std(axis=0) for n, m in members.items()} if trainer.seeds > 1 else {},
        learned=_learned(plan, done, coordinates),
        compile_seconds=done.compile_seconds,
        steps=done.step,
        points=(plan.legs[-1].phases or trainer.phases)[-1].points,
        parameters=plan.parameters(len(done.legs)),
        history=done.history,
        stopped=done.stopped if error is None else "diverged",
        signal=number if error is None else None,
        error=error,
    )


def fit(
    plan: Plan, cfg: DictConfig, folder: Path, monitor: Any
) -> tuple[Training, DivergenceError | None, int | None]:
    """Fit with checkpoints, log, progress bar and signals; a diverged training gives its last good
    state.

    The last of the three is the number of the signal that came.
    """
    path = folder / "checkpoint.safetensors"
    checkpoint = Checkpoint(path, fingerprint(cfg), cfg.checkpoint_seconds)
    trainer, counters = plan.trainer, checkpoint.counters()
    log = JsonLines(folder / "log.jsonl")
    log.rewind(counters["step"] if counters else 0)
    bar = None if cfg.quiet else ProgressBar(trainer.steps_of(plan.legs), trainer.budget)

    def report(record: Mapping[str, Any]) -> None:
        log(record)
        if bar is not None:
            bar(record)

    with stopping() as stop, bar or contextlib.nullcontext():
        try:
            return trainer.fit(plan.legs, checkpoint, report, stop, monitor), None, stop.signal
        except DivergenceError as error:
            return trainer.fit(plan.legs, checkpoint, stop=lambda: True), error, stop.signal


def _monitor(plan: Plan, coordinates: Mapping[str, np.ndarray], reference: Reference) -> Any:
    """The worst variable's relative L2 error, for the log and the gates.

    Before the last time window it goes by another name, since it is one of the windows so far.
    """
    if not reference.values:
        return None

    def metrics(reached: Any) -> dict[str, float]:
        reading, there, truth = plan.reading(reached), dict(coordinates), reference.values
        whole = True
        if isinstance(reading, WindowedReading) and not reading.complete:
            whole, time = False, str(plan.equation.domain.time)
            known, dim = there[time] < reading.reached, list(there).index(time)
            there[time] = there[time][known]
            truth = {name: np.compress(known, v, axis=dim) for name, v in truth.items()}
        values = reading.on(there)
        error = max(replace(reference, values=truth).relative_l2(values).values())
        return {"relative_l2" if whole else "relative_l2_so_far": error}

    return metrics


def _learned(plan: Plan, done: Training, coordinates: Mapping[str, np.ndarray]) -> dict[str, tuple]:
    """Value and 95 % interval of each learned parameter; profiles on the output axis."""
    from pinnlab.run.interval import intervals

    problem = plan.problem
    found = intervals(problem, plan.trainer, done.params)
    made = {}
    for name, (value, lower, upper) in found.items():
        coefficient = getattr(problem.equation, name)
        if isinstance(coefficient, Profile):
            here = {coefficient.axis: jnp.asarray(coordinates[coefficient.axis])}
            ends = (
                np.asarray(replace(coefficient, values=np.asarray(v)).at(here))
                for v in (value, lower, upper)
            )
            made[name] = tuple(ends)
        else:
            made[name] = (value, lower, upper)
    return made
