"""A table over runs: errors, the floor of the reference, seconds, and settings that differ."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinnlab.core.errors import PinnlabError
from pinnlab.report.contents import FLOORS
from pinnlab.report.runs import read_run

if TYPE_CHECKING:
    from rich.table import Table

_KINDS = {"relative_l2": "relative\nL2", "max_error": "max\nerror", "rmse": "RMSE"}
_ABSENT = object()  # equals no setting


def rows(folders: Sequence[str | Path]) -> list[dict[str, Any]]:
    """One plain dictionary for each run, in the order given.

    Keys: ``run``, ``equation``, ``experiment``, ``method``, ``norms`` (metric -> value),
    ``marks`` (metric -> ``"best"``, ``"at floor"`` or ``""``), ``floor`` (variable -> relative L2
    error of the reference), ``seconds``, ``passed`` and ``settings`` (dotted key -> value; those
    that are set and that differ among the runs of the same equation).

    An error below three floors of the reference is marked ``at floor``: it measures the reference
    as much as the run. The best of an experiment's other runs is marked only if none of them is
    there already.

    Raises:
        PinnlabError: naming a folder without a readable ``summary.json`` or ``config.yaml``, and
            what to do.
    """
    if not folders:
        raise PinnlabError("compare: give one run folder or more, such as outputs/burgers/*")
    made = [read_run(Path(folder)) for folder in folders]
    for equation in {row["equation"] for row in made}:
        _keep_differing([row["settings"] for row in made if row["equation"] == equation])
    _mark(made)
    return made


def compare(folders: Sequence[str | Path]) -> Table:
    """The rows as a table for the terminal; raises what :func:`rows` raises."""
    from rich import box
    from rich.table import Table

    found = rows(folders)
    kinds, above = _kinds(found), _common(found)
    whose = list(dict.fromkeys(f"{row['experiment']}\n{row['method']}" for row in found))
    title = whose[:1] if len(whose) == 1 else []  # said once, if it is the same for all
    title += [f"runs in {above}"] if above else []
    table = Table(title=_escaped(", ".join(title).replace("\n", ", ")), box=box.SIMPLE_HEAD)
    table.leading, table.pad_edge, table.collapse_padding = 1, False, True
    table.add_column("run", overflow="fold", min_width=4)
    if len(whose) > 1:
        table.add_column("experiment,\nmethod", overflow="fold", min_width=8)
    table.add_column("error of", no_wrap=True)
    for kind in kinds:
        table.add_column(_KINDS.get(kind, kind), justify="right", no_wrap=True)
    table.add_column("floor", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("passed", justify="center", no_wrap=True)
    table.add_column("settings\nthat differ", overflow="fold", min_width=8)
    for row in found:
        table.add_row(*_cells(row, kinds, above, len(whose) > 1))
    marks = {mark for row in found for mark in row["marks"].values()}
    notes = ["* lowest among the runs of its experiment"] if "best" in marks else []
    notes += [f"at floor: below {FLOORS:g} floors, not ranked"] if "at floor" in marks else []
    table.caption = "; ".join(notes)
    return table


def _cells(row: Mapping[str, Any], kinds: list[str], above: str, named: bool) -> list[str]:
    """A run's cells; those of norms and floors have one line for each variable."""
    variables = _variables(row) or [""]
    run = Path(row["run"]).relative_to(above) if above else row["run"]
    return [
        _escaped(run),
        *([_escaped(f"{row['experiment']}\n{row['method']}")] if named else []),
        _escaped("\n".join(v or "all" for v in variables)),
        *("\n".join(_value(row, kind, v) for v in variables) for kind in kinds),
        "\n".join(_floor(row, v) for v in variables),
        _number(row["seconds"], 4),
        {True: "yes", False: "[red]no[/red]"}.get(row["passed"], "-"),
        _escaped("\n".join(f"{k}={v}" for k, v in row["settings"].items()) or "-"),
    ]


def _common(found: list[dict[str, Any]]) -> str:
    """The folder that holds all runs, said once; none for a single run."""
    if len({row["run"] for row in found}) < 2 or len({Path(r["run"]).anchor for r in found}) > 1:
        return ""
    return os.path.commonpath([row["run"] for row in found])


def _keep_differing(settings: list[dict[str, Any]]) -> None:
    keys = dict.fromkeys(key for one in settings for key in one)
    for key in keys:
        values = [one.pop(key, _ABSENT) for one in settings]
        if any(v != values[0] for v in values):
            for one, value in zip(settings, values, strict=True):
                if value is not _ABSENT:
                    one[key] = value


def _split(metric: str) -> tuple[str, str]:
    """Kind and variable of a norm: ``relative_l2`` and ``velocity``; nothing for all of them."""
    for kind in _KINDS:
        if metric == kind or metric.startswith(f"{kind}_"):
            return kind, metric.removeprefix(kind).removeprefix("_")
    return metric, ""


def _at_floor(row: Mapping[str, Any], variable: str) -> bool:
    """Whether the relative L2 error of the variable, or of all, is below three floors."""
    floor, norms = row["floor"], row["norms"]
    variables = [variable] if variable else list(floor)
    return bool(variables) and all(
        norms.get(f"relative_l2_{v}", math.inf) < FLOORS * floor.get(v, 0.0) for v in variables
    )


def _mark(made: list[dict[str, Any]]) -> None:
    for row in made:
        row["marks"] = {m: "at floor" if _at_floor(row, _split(m)[1]) else "" for m in row["norms"]}
    for row in made:
        rivals = [r for r in made if r["experiment"] == row["experiment"]]
        for metric, value in row["norms"].items():
            others = [r for r in rivals if metric in r["norms"]]
            ranked = len(others) > 1 and all(r["marks"][metric] != "at floor" for r in others)
            if ranked and value == min(r["norms"][metric] for r in others):
                row["marks"][metric] = "best"


def _kinds(found: list[dict[str, Any]]) -> list[str]:
    """The kinds of norm that any run has."""
    return list(dict.fromkeys(_split(metric)[0] for row in found for metric in row["norms"]))


def _variables(row: Mapping[str, Any]) -> list[str]:
    """What a run's norms are of; that of all only where no variable has its own."""
    own = dict.fromkeys([v for _, v in map(_split, row["norms"]) if v] + list(row["floor"]))
    alone = [k for k, v in map(_split, row["norms"]) if not v and k not in _KINDS]
    return [*own, *([""] if alone or (row["norms"] and not own) else [])]


def _value(row: Mapping[str, Any], kind: str, variable: str) -> str:
    metric = f"{kind}_{variable}" if variable else kind
    best = row["marks"].get(metric) == "best"
    text = _number(row["norms"].get(metric))
    return f"[bold green]{text}*[/bold green]" if best else text


def _floor(row: Mapping[str, Any], variable: str) -> str:
    at_floor = variable and _at_floor(row, variable)
    return _number(row["floor"].get(variable)) + (", at floor" if at_floor else "")


def _number(value: Any, digits: int = 2) -> str:
    return f"{value:.{digits}g}" if isinstance(value, (int, float)) else "-"


def _escaped(value: Any) -> str:
    from rich.markup import escape

    return escape(str(value))
