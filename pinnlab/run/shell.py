"""Experiments from the shell: Hydra's overrides, sweeps, and errors that name the key."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pinnlab.core.errors import PinnlabError
from pinnlab.run.compose import composed, opened
from pinnlab.run.catalogue import config_dir
from pinnlab.run.config import register

_SIGNALLED = {"signal": 0}
_FAILED: list[str] = []


def compose_and_run(arguments: list[str]) -> int:
    """Run the experiment, or the sweep, that *arguments* describe; return the exit code.

    Raises:
        PinnlabError: an unknown experiment or key, a wrong type, or whatever the run finds.
    """
    register()
    overrides = [a for a in arguments if "=" in a and not a.startswith("-")]
    sweep = any(a in ("-m", "--multirun") for a in arguments)
    if not sweep:
        composed([o for o in overrides if not o.startswith("hydra.")])
    sys.argv = [sys.argv[0], *(opened(a) for a in arguments)]
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # let our own errors through
    entry = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="config")
    try:
        entry(_task)()
    except PinnlabError:
        raise
    except hydra.errors.HydraException as error:
        raise PinnlabError(str(error)) from error
    if _FAILED:
        print("failed:\n  " + "\n  ".join(_FAILED), file=sys.stderr)
        return 2
    return 128 + _SIGNALLED["signal"] if _SIGNALLED["signal"] else 0


def _task(cfg: DictConfig) -> float | None:
    from pinnlab.run.experiment import run

    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    sweep = hydra_cfg.mode is not None and hydra_cfg.mode.name == "MULTIRUN"
    if OmegaConf.is_missing(cfg, "name"):
        raise PinnlabError("name an experiment: pinnlab experiment=NAME (pinnlab list shows them)")
    try:
        summary = run(cfg, folder)
    except PinnlabError as error:
        if not sweep or "BasicLauncher" not in hydra_cfg.launcher._target_:
            raise
        print(f"pinnlab: {error}", file=sys.stderr)  # the other jobs of the sweep go on
        _FAILED.append(f"{folder}: {error}")
        return float("nan")
    if summary["stopped"] == "signal":
        _SIGNALLED["signal"] = signal.SIGTERM if summary.get("signal") == 15 else signal.SIGINT
    return objective(summary)


def objective(summary: dict[str, Any]) -> float | None:
    """What a sweeper minimises: the first gate's metric, else the worst relative L2 error."""
    if summary["gate"]:
        return float(summary["gate"][0]["value"])
    return summary["norms"].get("relative_l2")
