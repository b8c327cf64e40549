"""Experiments run in processes of their own, with what each cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# compiling counts in every run; SciPy keeps to the cores that XLA was given
_ALONE = {"JAX_ENABLE_COMPILATION_CACHE": "false", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Apart:
    """What a run left.

    Arguments:
        summary: its ``summary.json``; None if it has none.
        processor_seconds: user and system time of its process, all of its threads.
        said: what it printed.
    """

    summary: dict[str, Any] | None
    processor_seconds: float
    said: str


def run_apart(name: str, overrides: Sequence[str] = ()) -> Apart:
    """Run an experiment, without figures, in a folder that does not stay.

    It takes no compiled programs from another run, so that compiling counts each time.
    """
    before = _spent()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from pinnlab.cli import main; main()"]
        command += [f"experiment={name}", "figures=false", "quiet=true", *overrides]
        ended = completed([*command, f"hydra.run.dir={folder}/run"])
        path = Path(folder, "run/summary.json")
        summary = json.loads(path.read_text()) if path.exists() else None
    return Apart(summary, _spent() - before, ended.stdout + ended.stderr)


def completed(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run to its end; if this process is told to stop, the other one is too, and waited for."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | _ALONE,
    ) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _spent() -> float:
    """Processor seconds of all processes that this one started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system
