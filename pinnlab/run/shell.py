"""Experiments from the shell: Hydra's overrides, sweeps, and errors that name the key."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from pinnlab.core.errors import PinnlabError
from pinnlab.run.catalogue import config_dir
from pinnlab.run.compose import WRONG, checked, explained, with_own_configs
from pinnlab.run.config import register

FAILED = "failed.json"  # left by a job of a sweep, which may run in another process or machine


@dataclass
class _State:
    """What Hydra, which keeps a job's return value to itself, does not hand to its caller."""

    started: bool = False
    code: int = 0
    sweep: Path | None = None


_STATE = _State()


class Sweep(Callback):
    """Notes where a sweep's jobs run (named in ``configs/config.yaml``)."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra before the first job."""
        _STATE.sweep = Path(config.hydra.sweep.dir).resolve()


def compose_and_run(arguments: list[str]) -> int:
    """Run the experiment, or the sweep, that *arguments* describe; return the exit code.

    Raises:
        PinnlabError: a configuration that cannot be composed, or a folder that cannot be made.
    """
    register()
    _STATE.started, _STATE.code, _STATE.sweep = False, 0, None
    sys.argv = [sys.argv[0], *with_own_configs(arguments)]
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # an unexpected error keeps its traceback
    entry = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")
    try:
        entry(_task)()
    except WRONG as error:
        raise PinnlabError(explained(error)) from error
    except OSError as error:
        if _STATE.started or (_STATE.sweep and _STATE.sweep.is_dir()):
            raise
        raise PinnlabError(f"the run folder cannot be made: {error}") from error
    return _failures(_STATE.sweep) if _STATE.sweep else _STATE.code


def _failures(sweep: Path) -> int:
    """Name the failed jobs of a sweep; return the exit code."""
    found = {path.parent: json.loads(path.read_text()) for path in sorted(sweep.rglob(FAILED))}
    for folder, failure in found.items():
        print(f"failed: {folder}: {failure['message']}", file=sys.stderr)
    return min((failure["exit_code"] for failure in found.values()), default=0)


def _task(cfg: DictConfig) -> float | None:
    """One job. What the user can put right is not raised, so that a sweep goes on."""
    _STATE.started = True
    from pinnlab.run.experiment import run

    job = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    (folder / FAILED).unlink(missing_ok=True)
    try:
        summary = run(checked(cfg), folder)
    except PinnlabError as error:
        print(f"pinnlab: {error}", file=sys.stderr)
        _STATE.code = error.exit_code
        if job.mode == RunMode.MULTIRUN:
            failure = {"exit_code": error.exit_code, "message": str(error)}
            (folder / FAILED).write_text(json.dumps(failure))
        return float("nan")
    if summary["stopped"] == "signal":
        _STATE.code = 128 + summary["signal"]
        if job.mode == RunMode.MULTIRUN:
            sys.exit(_STATE.code)  # the jobs after it are not begun
    return objective(summary)


def objective(summary: dict[str, Any]) -> float | None:
    """What a sweeper minimises: the first gate's metric, else the worst relative L2 error."""
    if summary["gate"]:
        return float(summary["gate"][0]["value"])
    return summary["norms"].get("relative_l2")
