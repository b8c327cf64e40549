"""Tables as CSV files: rows by the names of their columns."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinnlab.core.files import write_bytes


def read_rows(path: str | os.PathLike) -> list[dict[str, str]]:
    """The rows of a table, whose values are texts; none if there is no such file."""
    if not Path(path).exists():
        return []
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table, whole or not at all; what a row does not have is left empty.

    Columns are in the order of the row that has most of them, others behind.

    Raises:
        PinnlabError: the folder cannot be written or the disk is full.
    """
    longest: Mapping[str, Any] = max(rows, key=len, default={})
    columns = dict.fromkeys([*longest, *(name for row in rows for name in row)])
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def aligned(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table for a terminal: a line for the columns of the first row, and one for each row."""
    texts = [list(rows[0]), *([str(row[key]) for key in rows[0]] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(map(str.rjust, line, widths)) for line in texts)
