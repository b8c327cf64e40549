"""``method=fast|auto|accurate``: the cheapest classical way that the equation allows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from pinnlab.core.errors import PinnlabError
from pinnlab.run.methods import Outcome
from pinnlab.run.task import Task
from pinnlab.solvers.automatic import TOLERANCES, climb
from pinnlab.solvers.gridsolution import started
from pinnlab.train import JsonLines


def automatic(cfg: DictConfig, folder: Path, task: Task) -> Outcome:
    """Climb the ladder of :func:`pinnlab.solvers.automatic.climb`; each rung is logged.

    Raises:
        PinnlabError: something to learn from observations, which needs a network.
    """
    if task.observed is not None or cfg.infer:
        raise PinnlabError(
            f"method={cfg.method} solves an equation that is wholly given; this experiment learns "
            "from observations: use method=pinn"
        )
    equation, coordinates, reference = task.equation, task.coordinates, task.reference
    times = list(coordinates[equation.domain.time]) if equation.domain.time else []
    (folder / "log.jsonl").unlink(missing_ok=True)  # a climb is too short to be continued
    log, history, rung = JsonLines(folder / "log.jsonl"), [], None
    values: Mapping[str, np.ndarray] = {}
    for rung in climb(equation, times, TOLERANCES[cfg.method]):
        values = started(rung.solution, equation, coordinates)
        record: dict[str, Any] = {"seconds": round(rung.seconds, 3), "solver": str(rung.solver)}
        if rung.change is not None:
            record["change"] = dict(rung.change)
        if reference.values:
            record["metrics"] = {"relative_l2": max(reference.relative_l2(values).values())}
        log(record)
        history.append(record)
        if not cfg.quiet:
            _tell(record)
    assert rung is not None
    return Outcome(
        equation,
        rung.solution,
        f"{cfg.method} ({type(rung.solver).__name__})",
        values,
        rung.seconds,
        points=int(np.prod([len(c) for c in rung.solution.grid.nodes.values()], initial=1)),
        history=history,
    )


def _tell(record: Mapping[str, Any]) -> None:
    change = max(record["change"].values()) if "change" in record else None
    moved = "" if change is None else f", changed by {change:.1e}"
    print(f"{record['seconds']:6.1f} s  {record['solver']}{moved}", flush=True)
