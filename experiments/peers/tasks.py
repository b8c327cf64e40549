"""The five tasks as every package is given them, and the clock that all are measured with.

Domain, coefficient, evaluation grid and exact solution come from pinnlab's own equations, through
a file that ``compare.py`` writes. What the equations hold as functions stands here, for NumPy,
PyTorch and JAX alike: the exact conditions, and the sources.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("burgers", "heat", "poisson", "helmholtz", "wave")
COLUMNS = (
    "task",
    "package",
    "version",
    "configuration",
    "processor_seconds",
    "wall_seconds",
    "relative_l2",
)
Columns = Mapping[str, Any]  # a column of coordinates for each axis


@dataclass(frozen=True)
class Task:
    """A task: its axes with their ends, its coefficient, and the exact solution on its grid.

    Arguments:
        name: one of ``NAMES``.
        axes: their names; time comes first where there is one.
        lower, upper: the ends of each.
        coefficient: nu, kappa, the conductivity, k or c.
        scale: the residual divided by it is of order one.
        points: (N, d) coordinates of the grid, in the order of the axes.
        truth: (N,) the exact solution there.
    """

    name: str
    axes: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    coefficient: float
    scale: float
    points: np.ndarray
    truth: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Task:
        """The task in a file of ``compare.py``."""
        with np.load(path) as found:
            return cls(
                str(found["name"]),
                tuple(map(str, found["axes"])),
                tuple(map(float, found["lower"])),
                tuple(map(float, found["upper"])),
                float(found["coefficient"]),
                float(found["scale"]),
                found["points"],
                found["truth"],
            )

    def scaled(self, axis: str, x: Any) -> Any:
        """Coordinates of an axis brought to [-1, 1]."""
        i = self.axes.index(axis)
        return (2 * x - self.lower[i] - self.upper[i]) / (self.upper[i] - self.lower[i])

    def source(self, x: Columns, sin: Callable[[Any], Any]) -> Any:
        """s of ``laplacian u + s = 0`` and q of ``laplacian u + k^2 u = q``."""
        if self.name == "poisson":
            return 2 * math.pi**2 * sin(math.pi * x["x"]) * sin(math.pi * x["y"])
        shape = sin(math.pi * x["x"]) * sin(4 * math.pi * x["y"])
        return (self.coefficient**2 - 17 * math.pi**2) * shape

    def satisfying(self, x: Columns, n: Any, sin: Callable[[Any], Any]) -> Any:
        """The network's output *n* made to satisfy the initial and boundary values exactly."""
        if self.name == "poisson":
            return x["x"] * (1 - x["x"]) * x["y"] * (1 - x["y"]) * n
        if self.name == "helmholtz":
            return (1 - x["x"] ** 2) * (1 - x["y"] ** 2) * n
        wave = sin(math.pi * x["x"])
        if self.name == "burgers":
            return -wave + x["t"] * (1 - x["x"] ** 2) * n
        if self.name == "heat":
            return wave + x["t"] * x["x"] * (1 - x["x"]) * n
        wave = wave + 0.5 * sin(4 * math.pi * x["x"])
        return wave + x["t"] ** 2 * x["x"] * (1 - x["x"]) * n  # u and u_t at t = 0


class Recorder:
    """Errors over time, written as they come; looking at them is not counted.

    Arguments:
        task: what is solved.
        path: the file to write.
        about: package, version and configuration.
        budget: processor seconds after which ``over`` is true.
    """

    def __init__(self, task: Task, path: Path, about: tuple[str, str, str], budget: float):
        self.task, self.about, self.budget = task, about, budget
        self.file = path.open("w", newline="")
        self.writer = csv.writer(self.file)
        self.writer.writerow(COLUMNS)
        self._next = 0.0
        self._wall, self._processor = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Processor seconds of this process since the start, over all its threads."""
        return time.process_time() - self._processor

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.seconds >= self.budget

    def look(self, predict: Callable[[], Any], always: bool = False) -> None:
        """Write the error of ``predict()``, (N,) or (N, 1), where it is time to look again."""
        wall, processor = time.perf_counter() - self._wall, self.seconds
        if processor < self._next and not always:
            return
        values = np.asarray(predict(), np.float64).reshape(-1)
        error = np.linalg.norm(values - self.task.truth) / np.linalg.norm(self.task.truth)
        row = (f"{processor:.3f}", f"{wall:.3f}", f"{error:.6e}")
        self.writer.writerow((self.task.name, *self.about, *row))
        self.file.flush()
        self._next = processor + max(0.1, 0.02 * processor)
        self._wall += time.perf_counter() - self._wall - wall
        self._processor += self.seconds - processor


def arguments() -> tuple[Task, str, Path, float]:
    """Task, configuration, output file and budget, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", type=Path)
    parser.add_argument("configuration")
    parser.add_argument("out", type=Path)
    parser.add_argument("budget", type=float)
    given = parser.parse_args()
    return Task.read(given.task), given.configuration, given.out, given.budget
