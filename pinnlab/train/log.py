"""What a training tells while it runs: a JSON-lines file and a progress bar."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pinnlab.core.errors import PinnlabError
from pinnlab.core.files import write_bytes


class JsonLines:
    """Append each record as one line of JSON to a file.

    A resumed training first drops the lines after its checkpoint, so that no step stands twice.
    """

    def __init__(self, path: Path):
        self.path = path

    def records(self) -> list[dict[str, Any]]:
        """What stands in the file; a line cut by a kill is left out."""
        lines = self.path.read_text().splitlines() if self.path.is_file() else []
        return [record for record in map(_parsed, lines) if record]

    def rewind(self, step: int) -> None:
        """Keep the records up to *step*."""
        if not self.path.is_file():
            return
        kept = [record for record in self.records() if record["step"] <= step]
        write_bytes(self.path, "".join(json.dumps(r) + "\n" for r in kept).encode())

    def __call__(self, record: Mapping[str, Any]) -> None:
        try:
            with open(self.path, "a") as stream:
                stream.write(json.dumps(dict(record)) + "\n")
        except OSError as error:
            raise PinnlabError(
                f"cannot write '{self.path}': {error.strerror or error}; the checkpoint before it "
                "stands, and the run can be resumed"
            ) from error


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:  # a line cut by a kill
        return None


class ProgressBar:
    """Steps or seconds done, the loss on fresh points, and the time left."""

    def __init__(self, steps: int, budget: float | None):
        self._total, self._budget = steps, budget
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]} left, fresh loss {task.fields[loss]}"),
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=1.0, left="?", loss="?")

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def __call__(self, record: Mapping[str, Any]) -> None:
        done, spent = record["step"] / self._total, record["seconds"]
        left = spent * (1.0 - done) / done if done else 0.0
        if self._budget is not None and spent + left > self._budget:
            done, left = min(1.0, spent / self._budget), max(0.0, self._budget - spent)
        loss = f"{record['fresh_loss']:.2e}"
        self._bar.update(self._task, completed=done, left=f"{left:.0f} s", loss=loss)
