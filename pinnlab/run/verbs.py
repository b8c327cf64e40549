"""The plain verbs of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pinnlab.core.errors import GateError, PinnlabError, choose

Verb = Callable[[Sequence[str]], int]


def find(name: str, verbs: Mapping[str, Verb]) -> Verb:
    """The verb of a *name*; an unknown one is an error that lists them."""
    from pinnlab.run.catalogue import experiments

    if name not in verbs and name in experiments():
        raise PinnlabError(f"'{name}' is an experiment; run it with: pinnlab experiment={name}")
    return verbs[choose("command", name, verbs)]


def list_(arguments: Sequence[str]) -> int:
    """Print the experiments."""
    _parsed("list", arguments)
    from pinnlab.run.catalogue import experiments

    found = experiments()
    width = max(map(len, found))
    for name, title in found.items():
        print(f"{name:<{width}}  {title}")
    return 0


def show(arguments: Sequence[str]) -> int:
    """Print an experiment's equation, parameters, units and defaults."""
    given = _parsed("show", arguments, name={})
    from pinnlab.run.showing import described

    print(described(given.name))
    return 0


def resume(arguments: Sequence[str]) -> int:
    """Continue a run in its own folder; what no result depends on may be changed."""
    given = _parsed("resume", arguments, run={}, changes={"nargs": "*", "metavar": "KEY=VALUE"})
    folder = Path(given.run)
    from pinnlab.run.compose import changed, saved
    from pinnlab.run.experiment import run

    summary = run(changed(saved(folder), given.changes), folder)
    return 128 + summary["signal"] if summary["stopped"] == "signal" else 0


def plot(arguments: Sequence[str]) -> int:
    """Draw a run's figures anew."""
    folder = Path(_parsed("plot", arguments, run={}).run)
    from pinnlab.run.experiment import redraw

    for path in redraw(folder):
        print(path)
    return 0


def compare(arguments: Sequence[str]) -> int:
    """Print runs side by side."""
    given = _parsed("compare", arguments, runs={"nargs": "+"})
    from rich.console import Console

    from pinnlab.report.compare import compare as table

    Console(width=None).print(table([Path(run) for run in given.runs]))
    return 0


def export(arguments: Sequence[str]) -> int:
    """Write a run's trained operator as a StableHLO program."""
    given = _parsed("export", arguments, run={}, file={"nargs": "?"})
    from pinnlab.run.operatorsolution import OperatorSolution
    from pinnlab.run.solution import load

    solution, run = load(given.run), Path(given.run)
    if not isinstance(solution, OperatorSolution):
        raise PinnlabError(f"export: '{given.run}' is no trained operator (method=operator)")
    beside = (run if run.is_dir() else run.parent) / "operator.stablehlo"
    for path in solution.export(given.file or beside):
        print(path)
    return 0


# Of the table's columns those that fit a terminal; the file has them all
_SHOWN = ("experiment", "metric", "at_most", "value", "within_seconds", "seconds", "passed")


def verify(arguments: Sequence[str]) -> int:
    """Run experiments, print gates against results, write the table, fail if one falls short."""
    parser = argparse.ArgumentParser(prog="pinnlab verify")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every experiment that has a gate")
    parser.add_argument("--table", type=Path, help="CSV to write, or whose rows to renew")
    parser.add_argument("--runs", type=Path, help="where runs go; one that is there goes on")
    given = parser.parse_args(arguments)
    if bool(given.names) == given.all:
        raise PinnlabError("verify: name experiments, or give --all")
    # Anew each time, so that an old result does not stand for the code of today
    runs = given.runs or Path(f"runs/verify/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    from rich.console import Console
    from rich.table import Table

    from pinnlab.core.rows import read_rows, write_rows
    from pinnlab.io import check_writable
    from pinnlab.run.verify import COLUMNS, verified

    if given.table:
        check_writable(given.table.parent)
    others = read_rows(given.table) if given.table else []
    if others and list(others[0]) != COLUMNS:
        raise PinnlabError(f"verify: '{given.table}' is not a table of gates; name another file")
    rows = verified(given.names, given.all, runs)
    table = Table(*_SHOWN)
    for row in rows:
        table.add_row(*(str(row[key]) for key in _SHOWN))
    Console().print(table)
    if given.table:
        run = {row["experiment"] for row in rows}
        kept = [row for row in others if row["experiment"] not in run]
        write_rows(given.table, sorted(kept + rows, key=lambda row: row["experiment"]))
        print(f"table: {given.table}")
    missed = [f"{r['experiment']} ({r['metric']})" for r in rows if r["passed"] != "yes"]
    if missed:
        raise GateError("gates missed: " + ", ".join(missed))
    return 0


def _parsed(verb: str, arguments: Sequence[str], **positional: Any) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"pinnlab {verb}")
    for key, options in positional.items():
        parser.add_argument(key, **options)
    return parser.parse_args(list(arguments))


VERBS: dict[str, Verb] = {
    "list": list_,
    "show": show,
    "verify": verify,
    "resume": resume,
    "plot": plot,
    "compare": compare,
    "export": export,
}
