"""``method=operator``: one network for all members of a family."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from omegaconf import DictConfig, OmegaConf

from pinnlab.core.errors import PinnlabError
from pinnlab.io import write_json
from pinnlab.models.operator import OperatorModel
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.networks.spectral import TRANSFORMS
from pinnlab.run.build import build_trainer, instantiate, network_settings
from pinnlab.run.members import Members
from pinnlab.run.methods import Outcome, fit
from pinnlab.run.plan import Plan
from pinnlab.run.scored import drawing
from pinnlab.run.task import Task
from pinnlab.terms import Problem
from pinnlab.train import Training
from pinnlab.train.legs import Leg

_FRESH = 32  # members on which the loss is reported
_TUNED = "transform.json"  # in the run's folder, as the two ways differ in the last digits


@dataclass(frozen=True, eq=False)
class OperatorPlan(Plan):
    """One training of an operator, read as such.

    Arguments:
        members: of the family.
        model: that is read; the symmetries of its answers are left out in training.
    """

    members: Members | None = None
    model: OperatorModel | None = None

    def reading(self, reached: Sequence[Any]) -> Any:
        assert self.members is not None
        return self.members.reading(self.model, reached[-1], self.trainer.seeds)


def operator(cfg: DictConfig, folder: Path, task: Task) -> Outcome:
    """Train an operator, continuing from the folder's checkpoint if there is one."""
    members = task.members
    assert members is not None
    plan, inputs = make_operator(cfg, members, folder), members.test()

    def mean(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: v.mean(axis=0) for name, v in found.items()}

    def monitor(reached: Sequence[Any]) -> dict[str, float]:
        values = mean(members.predicted(plan.reading(reached), inputs))
        found = {
            "relative_l2": task.reference.relative_l2(values),
            "one_step": task.reference.one_step(values),
        }
        return {kind: max(errors.values()) for kind, errors in found.items() if errors}

    done, error, number = fit(plan, cfg, folder, monitor)
    made: OperatorReading = plan.reading(done.legs)
    found = members.predicted(made, inputs)
    values, truth, data = mean(found), task.reference.values, _data(plan, done)
    seconds = done.seconds + data["seconds_before"]
    said = {
        "members": members.count,
        "transform": getattr(made.model.network, "transform", None),
        "bands": members.bands(values, truth, made.dtype),
        "data": data,
        **members.scores(task.reference, made, values, seconds),
    }
    return Outcome(
        equation=task.equation,
        reading=made,
        method=f"operator ({made.model.name})",
        values=values,
        seconds=done.seconds,
        spread={n: v.std(axis=0) for n, v in found.items()} if plan.trainer.seeds > 1 else {},
        compile_seconds=done.compile_seconds,
        steps=done.step,
        points=plan.trainer.phases[-1].points,
        parameters=plan.parameters(len(done.legs)),
        history=done.history,
        stopped=done.stopped if error is None else "diverged",
        signal=number if error is None else None,
        error=error,
        more={"operator": said},
    )


def _data(plan: OperatorPlan, done: Training) -> dict[str, float]:
    """What making the training's members took, in its steps and before them."""
    per_step = (done.seconds - done.compile_seconds) / max(1, done.step)
    return drawing(plan.problem.terms, plan.trainer.phases[-1], per_step)


def make_operator(cfg: DictConfig, members: Members, folder: Path | None = None) -> OperatorPlan:
    """What is trained and how.

    Arguments:
        folder: where the faster transform is remembered; nothing is measured without it.

    Raises:
        PinnlabError: settings that do not fit together, or a network that cannot be made.
    """
    trainer = replace(build_trainer(cfg), fresh=_FRESH)
    if not trainer.phases:
        raise PinnlabError("phases: give [{steps: 4000, points: 1000, minibatch: 20}] or so")
    terms = members.terms()
    model = members.scaled(_model(cfg, members), terms[0])
    equation = members.family.equation
    member = members.some()
    try:
        jax.eval_shape(lambda: model.apply(model.init(jax.random.key(0), member), member))
    except (TypeError, ValueError) as error:
        raise PinnlabError(f"network: it cannot be built: {str(error).splitlines()[0]}") from error
    problem = Problem(equation, model.single(), terms)  # type: ignore[arg-type]
    if folder is not None and getattr(model.network, "transform", None) == "auto":
        size = trainer.phases[0].minibatch or trainer.phases[0].points
        model = _with_transform(model, _faster(problem, size, folder))
        problem = Problem(equation, model.single(), terms)  # type: ignore[arg-type]
    return OperatorPlan(equation, [Leg(problem)], trainer, members=members, model=model)


def _model(cfg: DictConfig, members: Members) -> OperatorModel:
    given: Any = OmegaConf.to_container(cfg.model, resolve=True)
    network = instantiate(network_settings(cfg.network), "network")
    if not any(hasattr(network, mark) for mark in ("periodic", "reads_sensors", "meshed")):
        raise PinnlabError(
            f"network: {type(network).__name__} takes points, not functions on a grid; "
            "method=operator needs one of fno, factorized_fno, ufno, uno, unet, sfno, transolver "
            "or deeponet, or on a mesh graph or transolver"
        )
    return members.model(network, given)


def _faster(problem: Problem, size: int, folder: Path) -> str:
    """The transform whose step is faster here; what was found once is kept for the run."""
    path = folder / _TUNED
    if path.is_file():
        return str(json.loads(path.read_text())["transform"])
    seconds = {}
    for transform in TRANSFORMS:
        model: Any = _with_transform(problem.model, transform)  # type: ignore[arg-type]
        seconds[transform] = _seconds(replace(problem, model=model), size)
    best = min(seconds, key=seconds.__getitem__)
    write_json(path, {"transform": best, "seconds": seconds})
    return best


def _seconds(problem: Problem, size: int) -> float:
    """Of the gradient of the loss of *size* members, compiled before."""
    params = problem.init(jax.random.key(0))
    batch: Any = {t.name: t.draw(jax.random.key(0), size, False) for t in problem.terms}
    weights = dict.fromkeys(batch, 1.0)
    step = jax.jit(jax.grad(problem.loss))
    jax.block_until_ready(step(params, batch, weights))
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        jax.block_until_ready(step(params, batch, weights))
        times.append(time.perf_counter() - begun)
    return min(times)


def _with_transform(model: OperatorModel, transform: str) -> OperatorModel:
    return replace(model, network=model.network.clone(transform=transform))
