"""The plain verbs of the command line."""

from __future__ import annotations

import argparse
import csv
import io as _io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pinnlab.core.errors import GateError, PinnlabError, choose

Verb = Callable[[Sequence[str]], int]


def find(name: str, verbs: Mapping[str, Verb]) -> Verb:
    """The verb of a *name*; an unknown one is an error that lists them."""
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
    """Continue a run in its own folder."""
    folder = Path(_parsed("resume", arguments, run={}).run)
    from pinnlab.run.compose import saved
    from pinnlab.run.experiment import run

    summary = run(saved(folder), folder)
    return 130 if summary["stopped"] == "signal" else 0


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


def verify(arguments: Sequence[str]) -> int:
    """Run experiments, print gates against results, write the table, fail if one falls short."""
    parser = argparse.ArgumentParser(prog="pinnlab verify")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true", help="every experiment that has a gate")
    parser.add_argument("--table", type=Path, help="write the table as CSV")
    parser.add_argument("--runs", type=Path, default=Path("runs/verify"), help="where runs go")
    given = parser.parse_args(arguments)
    from rich.console import Console
    from rich.table import Table

    from pinnlab.run.verify import verified

    rows = verified(given.names, given.all, given.runs)
    if not rows:
        raise PinnlabError("verify: name experiments, or give --all")
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    if given.table:
        _write_csv(rows, given.table)
    missed = [f"{r['experiment']} ({r['metric']})" for r in rows if r["passed"] != "yes"]
    if missed:
        raise GateError("gates missed: " + ", ".join(missed))
    return 0


def _write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    from pinnlab.core.files import write_bytes

    text = _io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.getvalue().encode())
    print(f"table: {path}")


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
}
