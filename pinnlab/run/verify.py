"""Experiments against their gates, one after the other, as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pinnlab.core.errors import PinnlabError
from pinnlab.run.catalogue import experiments
from pinnlab.run.compose import composed
from pinnlab.run.experiment import run


def verified(names: Sequence[str], every: bool, runs: Path) -> list[dict[str, Any]]:
    """Run each experiment in a folder of its own below *runs*; a row for each gate.

    With *every*, all experiments that declare a gate. An experiment that fails is a row too.

    Raises:
        PinnlabError: an unknown name, or one without a gate.
    """
    configs = {
        name: composed([f"experiment={name}"]) for name in (experiments() if every else names)
    }
    for name, cfg in list(configs.items()):
        if cfg.gate:
            continue
        if not every:
            raise PinnlabError(f"verify: the experiment '{name}' declares no gate")
        del configs[name]
    rows: list[dict[str, Any]] = []
    for name, cfg in configs.items():
        cfg.quiet = True
        try:
            summary = run(cfg, runs / name)
        except PinnlabError as error:
            print(f"{name}: {error}")
            rows.append(_row(name, _NO_GATE, {}))
            continue
        rows += [_row(name, gate, summary) for gate in summary["gate"]]
    return rows


def _row(name: str, gate: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """One line of the table: gate, result, and what is needed to judge it."""
    classical = summary.get("classical") or {}
    errors, floor = classical.get("relative_l2", {}), summary.get("floor", {})
    certificate = summary.get("estimated_error") or {}
    estimated, honesty = certificate.get("relative_l2", {}), certificate.get("honesty", {})
    return {
        "experiment": name,
        "method": summary.get("method", "failed"),
        "metric": gate["metric"],
        "at_most": gate["at_most"],
        "within_seconds": gate["within_seconds"] or "",
        "value": f"{gate['value']:.3g}" if "value" in gate else "",
        "seconds": f"{gate['seconds']:.1f}" if "seconds" in gate else "",
        "passed": "yes" if gate.get("passed") else "no",
        "floor": f"{max(floor.values()):.1e}" if floor else "",
        "estimated": f"{max(estimated.values()):.1e}" if estimated else "",
        "honesty": f"{_worst(honesty.values()):.2f}" if honesty else "",
        "classical_error": f"{max(errors.values()):.1e}" if errors else "",
        "classical_seconds": f"{classical['seconds']:.1f}" if classical else "",
        "steps": summary.get("steps", ""),
        "points": summary.get("points", ""),
        "parameters": summary.get("parameters", ""),
        "seeds": summary.get("seeds", ""),
        "cores": summary.get("cores", ""),
        "device": summary.get("device", ""),
        "precision": summary.get("precision", ""),
        "jax": summary.get("versions", {}).get("jax", ""),
    }


_NO_GATE = {"metric": "-", "at_most": "-", "within_seconds": None}
COLUMNS = list(_row("", _NO_GATE, {}))


def _worst(honesty: Iterable[float]) -> float:
    """The ratio farthest from one, up or down."""
    return max(honesty, key=lambda h: abs(math.log(h)) if h > 0 else math.inf)
