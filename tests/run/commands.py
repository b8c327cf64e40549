"""The command line as its users call it: in this process, or in one that can be killed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("pinnlab")
TINY = (
    "experiment=heat",
    "network=mlp",
    "optimizer=levenberg_marquardt",
    "network.width=6",
    "network.depth=1",
    "phases=[{steps: 4, points: 40}]",
    "output={t: 5, x: 7}",
    "classical=null",
    "gate=[]",
    "budget=null",
    "quiet=true",
    "figures=false",
)


@dataclass
class Called:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    def failed(self, code: int = 2) -> str:
        """The one line of an error; asserts that it is one."""
        lines = self.err.strip().splitlines()
        assert self.code == code, self.err
        assert len(lines) == 1 and lines[0].startswith("pinnlab: "), self.err
        return lines[0]


def started(*arguments: str, folder: Path) -> subprocess.Popen:
    """The command in a process of its own."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [COMMAND, *arguments], cwd=folder, stdout=pipe, stderr=pipe, text=True, env=os.environ
    )


def summary(folder: Path) -> dict[str, Any]:
    """The summary of a run."""
    return json.loads((folder / "summary.json").read_text())
