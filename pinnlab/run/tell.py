"""What a run says at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table


def tell(summary: Mapping[str, Any], folder: Path, console: Console | None = None) -> None:
    """Print errors, baselines, learned parameters, gates and paths."""
    out = console or Console(soft_wrap=True)
    seconds = summary["seconds"]
    out.print(
        f"{summary['experiment']}: {summary['method']}, {summary['steps']} steps, "
        f"{summary['parameters']} parameters, {seconds['total']:.1f} s "
        f"({seconds['compile']:.1f} s of it compiling), ended by: {summary['stopped']}"
    )
    _errors(out, summary)
    _estimated(out, summary)
    _learned(out, summary)
    if summary.get("baselines"):
        out.print(_baselines(summary))
    for gate in summary["gate"]:
        within = f" within {gate['within_seconds']:g} s" if gate["within_seconds"] else ""
        verdict = "[green]passed[/]" if gate["passed"] else "[red]NOT passed[/]"
        out.print(
            f"gate {gate['metric']} <= {gate['at_most']:g}{within}: {gate['value']:.3g} "
            f"at {gate['seconds']:.0f} s, {verdict}"
        )
    if summary["conclusion"] and summary["passed"] is not False:
        out.print(summary["conclusion"])
    datasets = [p for p in (folder / "dataset.nc", folder / "dataset.zarr") if p.exists()]
    figures = sorted((folder / "figures").glob("*.png"))
    for label, paths in (("dataset", datasets), ("figure", figures)):
        for path in paths:
            out.print(f"{label}: {path}", highlight=False)


def _errors(out: Console, summary: Mapping[str, Any]) -> None:
    classical = summary["classical"]
    for name, floor in summary["floor"].items():
        said = f"{name}: relative L2 {summary['norms'][f'relative_l2_{name}']:.2e} against "
        said += f"{summary['reference']} (floor {floor:.1e})"
        if name in summary["at_floor"]:
            said += "; below three times the floor: the reference cannot rank it"
        out.print(said)
    if classical:
        errors = ", ".join(f"{v:.1e}" for v in classical["relative_l2"].values())
        out.print(
            f"classical solver on the same task ({classical['solver']}): relative L2 {errors} "
            f"in {classical['seconds']:.1f} s, compiling included"
        )


def _estimated(out: Console, summary: Mapping[str, Any]) -> None:
    found = summary.get("estimated_error")
    if not found:
        return
    if "reason" in found:
        out.print(f"no estimate of the error: {found['reason']}")
        return
    each = []
    for name, value in found["relative_l2"].items():
        honesty = found["honesty"].get(name)
        of_it = f", {honesty:.2f} of the measured one" if honesty is not None else ""
        each.append(f"{name} {value:.2e}{of_it}")
    out.print(
        f"error estimated from the residual alone: relative L2 {'; '.join(each)} "
        f"({found['seconds']:.1f} s)"
    )


def _learned(out: Console, summary: Mapping[str, Any]) -> None:
    for name, found in summary["learned"].items():
        if np.ndim(found["value"]):
            lower, upper = min(found["value"]), max(found["value"])
            out.print(f"learned {name}: a profile from {lower:.3g} to {upper:.3g}")
        else:
            truth = f"; the truth is {found['truth']:.6g}" if "truth" in found else ""
            out.print(
                f"learned {name}: {found['value']:.6g} (95 %: {found['lower']:.6g} to "
                f"{found['upper']:.6g}{truth})"
            )


def _baselines(summary: Mapping[str, Any]) -> Table:
    """All ways to the held-out observations, best first."""
    norms = summary["norms"]
    rows = [("pinnlab " + summary["method"], norms["rmse_held_out"], summary["seconds"]["total"])]
    rows += [(n, b["rmse_held_out"], b["seconds"]) for n, b in summary["baselines"].items()]
    table = Table("method", "RMSE, held out", "seconds", title="at the held-out observations")
    for name, rmse, seconds in sorted(rows, key=lambda row: row[1]):
        table.add_row(name.replace("_", " "), f"{rmse:.3f}", f"{seconds:.1f}")
    return table
