"""A table over runs: errors, the floor of the reference, seconds, and settings that differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pinnlab.core.errors import PinnlabError

if TYPE_CHECKING:
    from rich.table import Table

FLOORS = 3.0  # below so many floors of the reference, errors say nothing about the run
_KINDS = {"relative_l2": "relative L2", "max_error": "max error", "rmse": "RMSE"}
_PLACES = ("folder", "dir", "cwd")  # settings that say where files lie
_ABSENT = "(not set)"


def rows(folders: Sequence[str | Path]) -> list[dict[str, Any]]:
    """One plain dictionary for each run, in the order given.

    Keys: ``run``, ``experiment``, ``method``, ``norms`` (metric -> value), ``marks`` (metric ->
    ``"best"``, ``"at floor"`` or ``""``), ``floor`` (variable -> relative L2 error of the
    reference), ``seconds``, ``passed`` and ``settings`` (dotted key -> value, those that differ).

    An error below three floors of the reference is marked ``at floor``: it measures the reference
    as much as the run. The best of an experiment's other runs is marked only if none of them is
    there already.

    Raises:
        PinnlabError: naming a folder without a readable ``summary.json`` or ``config.yaml``, and
            what to do.
    """
    if not folders:
        raise PinnlabError("compare: give one run folder or more, such as outputs/burgers/*")
    made = [_row(Path(folder)) for folder in folders]
    _keep_differing([row["settings"] for row in made])
    _mark(made)
    return made


def compare(folders: Sequence[str | Path]) -> Table:
    """The rows as a table for the terminal; raises what :func:`rows` raises."""
    from rich.table import Table

    found = rows(folders)
    columns = _columns(found)
    table = Table(title="Runs compared", show_lines=True)
    for heading in ("run", "experiment", "method"):
        table.add_column(heading, overflow="fold")
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    for heading in ("floor", "seconds", "passed"):
        table.add_column(heading, justify="right" if heading != "passed" else "center")
    table.add_column("settings that differ", overflow="fold")
    for row in found:
        floor = _lines({k: _number(v) for k, v in row["floor"].items()}, len(row["floor"]) > 1)
        table.add_row(
            row["run"],
            row["experiment"],
            row["method"],
            *(_cell(row, metrics, heading) for heading, metrics in columns),
            floor or "-",
            _number(row["seconds"], 4),
            {True: "yes", False: "[red]no[/red]", None: "-"}[row["passed"]],
            "\n".join(f"{k}={_escaped(v)}" for k, v in row["settings"].items()) or "-",
        )
    return table


def _row(folder: Path) -> dict[str, Any]:
    summary = _summary(folder)
    seconds = summary.get("seconds") or {}
    return {
        "run": str(folder),
        "experiment": str(summary.get("experiment") or "-"),
        "method": str(summary.get("method") or "-"),
        "norms": {k: v for k, v in (summary.get("norms") or {}).items() if v is not None},
        "marks": {},
        "floor": {k: v for k, v in (summary.get("floor") or {}).items() if v is not None},
        "seconds": seconds.get("total") if isinstance(seconds, Mapping) else seconds,
        "passed": summary.get("passed"),
        "settings": _settings(folder),
    }


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    remedy = f"continue the run with: pinnlab resume {folder}"
    if not folder.is_dir():
        raise PinnlabError(f"run folder '{folder}' does not exist; give the folder of a run")
    if not path.is_file():
        raise PinnlabError(
            f"run folder '{folder}' has no summary.json: the run has not ended; {remedy}"
        )
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise PinnlabError(f"cannot read '{path}' ({error}); {remedy}") from error
    if not isinstance(found, dict):
        raise PinnlabError(f"'{path}' holds no JSON object; {remedy}")
    return found


def _settings(folder: Path) -> dict[str, Any]:
    import yaml

    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PinnlabError(
            f"cannot read '{path}' ({error}); put the run's configuration back, or run it again"
        ) from error
    if not isinstance(config, dict):
        raise PinnlabError(f"'{path}' holds no settings (key: value); run the experiment again")
    inside = str(folder.resolve())
    return {
        key: value
        for key, value in _flat(config, "")
        if not _is_place(key, value, inside) and key.split(".")[0] != "hydra"
    }


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}.{index}")
    else:
        yield prefix, value


def _is_place(key: str, value: Any, folder: str) -> bool:
    last = key.rsplit(".", 1)[-1]
    named = last in _PLACES or last.endswith(tuple(f"_{p}" for p in _PLACES))
    return named or (isinstance(value, str) and folder in value)


def _keep_differing(settings: list[dict[str, Any]]) -> None:
    keys = dict.fromkeys(key for one in settings for key in one)
    for key in keys:
        values = [one.pop(key, _ABSENT) for one in settings]
        if any(v != values[0] for v in values):
            for one, value in zip(settings, values, strict=True):
                one[key] = value


def _variable_of(metric: str) -> str:
    for kind in _KINDS:
        if metric.startswith(f"{kind}_"):
            return metric.removeprefix(f"{kind}_")
    return metric


def _at_floor(row: Mapping[str, Any], metric: str) -> bool:
    """Whether the metric, or the relative L2 error of its variable, is below three floors."""
    floor, norms = row["floor"], row["norms"]
    if metric in floor:
        return norms[metric] < FLOORS * floor[metric]
    variable = _variable_of(metric)
    relative = norms.get(f"relative_l2_{variable}")
    return relative is not None and variable in floor and relative < FLOORS * floor[variable]


def _mark(made: list[dict[str, Any]]) -> None:
    for row in made:
        row["marks"] = {m: "at floor" if _at_floor(row, m) else "" for m in row["norms"]}
    for row in made:
        rivals = [r for r in made if r["experiment"] == row["experiment"]]
        for metric, value in row["norms"].items():
            others = [r for r in rivals if metric in r["norms"]]
            ranked = len(others) > 1 and all(r["marks"][metric] != "at floor" for r in others)
            if ranked and value == min(r["norms"][metric] for r in others):
                row["marks"][metric] = "best"


def _columns(found: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Headings with their metrics: one column for each kind of norm."""
    columns: dict[str, list[str]] = {}
    for metric in dict.fromkeys(m for row in found for m in row["norms"]):
        kind = next((k for k in _KINDS if metric.startswith(f"{k}_")), metric)
        columns.setdefault(_KINDS.get(kind, metric), []).append(metric)
    return [
        (f"{heading} {_variable_of(m[0])}" if len(m) == 1 and heading != m[0] else heading, m)
        for heading, m in columns.items()
    ]


def _cell(row: Mapping[str, Any], metrics: list[str], heading: str) -> str:
    texts = {}
    for metric in metrics:
        if metric in row["norms"]:
            mark, text = row["marks"][metric], _number(row["norms"][metric])
            text = f"[bold green]{text} best[/bold green]" if mark == "best" else text
            texts[_variable_of(metric)] = f"{text} at floor" if mark == "at floor" else text
    return _lines(texts, len(metrics) > 1) or "-"


def _lines(texts: Mapping[str, str], named: bool) -> str:
    return "\n".join(f"{k} {v}" if named else v for k, v in texts.items())


def _number(value: Any, digits: int = 3) -> str:
    return f"{value:.{digits}g}" if isinstance(value, (int, float)) else "-"


def _escaped(value: Any) -> str:
    from rich.markup import escape

    return escape(str(value))
