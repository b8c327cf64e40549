"""The course of a training: losses against steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 4000  # points of a line
_DECADES = 16  # below the highest loss; a term that starts at zero would hide the others
_MOST_NAMED = 8  # phases; more would write over each other


def figure(history: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Training and fresh loss above, each term below, or None if nothing was logged."""
    records = [r for r in history if "step" in r]
    step = max(1, len(records) // _MOST)
    records = records[(len(records) - 1) % step :: step]  # the last one is among them
    if not records:
        return None
    steps = np.array([float(r["step"]) for r in records])
    made = style.new_figure(style.WIDTH, 6.2)
    top, bottom = made.subplots(2, 1, sharex=True)
    for key, label, colour in (
        ("loss", "training points", style.PREDICTION),
        ("fresh_loss", "fresh points", style.HELD_OUT),
    ):
        _curve(top, steps, [r.get(key) for r in records], label, colour, 1.8)
    terms = dict.fromkeys(name for r in records for name in r.get("terms") or {})
    for k, name in enumerate(terms):
        values = [(r.get("terms") or {}).get(name) for r in records]
        dash = ("-", "--", ":")[k // len(style.CYCLE) % 3]
        colour = style.CYCLE[k % len(style.CYCLE)]
        _curve(bottom, steps, values, name.replace("_", " "), colour, 1.4, dash)
    for ax, title, label in (
        (top, _title(records), "loss"),
        (bottom, "Mean square of each term's rows, on fresh points", "mean square"),
    ):
        style.dress(ax, title)
        ax.set_ylabel(label, fontsize=style.LABEL)
        if ax.lines:
            ax.set_yscale("log")
            low, high = ax.get_ylim()
            ax.set_ylim(max(low, high * 10**-_DECADES), high)
        else:
            ax.text(0.5, 0.5, "no positive values", transform=ax.transAxes, ha="center")
    margin = 0.01 * (steps[-1] - steps[0]) or 1.0
    top.set_xlim(steps[0] - margin, steps[-1] + margin)
    bottom.set_xlabel("step", fontsize=style.LABEL)
    _phases(top, bottom, records, steps)
    for ax in (top, bottom):
        style.legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return made


def _title(records: Sequence[Mapping[str, Any]]) -> str:
    last = records[-1]
    words = f"Training loss: {last['step']:,} steps"
    if last.get("seconds") is not None:
        words += f" in {style.quantity(float(last['seconds']), 's', 3)}"
    fresh = last.get("fresh_loss")
    return words if fresh is None else f"{words}, {style.number(float(fresh))} at the end"


def _curve(
    ax: Axes, steps: np.ndarray, values: Any, label: str, colour: str, width: float, dash: str = "-"
) -> None:
    v = np.array([np.nan if x is None else float(x) for x in values])
    v = np.where(np.isfinite(v) & (v > 0), v, np.nan)
    marker = "o" if steps.size < 15 else ""
    look: dict[str, Any] = {
        "color": colour,
        "linewidth": width,
        "linestyle": dash,
        "marker": marker,
    }
    if np.isfinite(v).any():
        ax.plot(steps, v, label=label, markersize=4, **look)


def _phases(top: Axes, bottom: Axes, records: Sequence[Mapping[str, Any]], steps: Any) -> None:
    """Mark where a phase of the training begins, or a window or stage where there are several."""
    parts = next((p for p in ("window", "stage") if any(p in r for r in records)), "phase")
    names = [r.get(parts) for r in records]
    starts = [i for i in range(1, len(names)) if names[i] != names[i - 1]]
    if not starts:
        return
    look: dict[str, Any] = {"fontsize": style.TICK, "color": "0.3", "va": "bottom"}
    for count, i in enumerate([0, *starts]):
        begin = steps[max(0, i - 1)]  # a record tells of the steps before it
        if i:
            for ax in (top, bottom):
                ax.axvline(begin, color="0.3", linestyle=(0, (2, 2)), linewidth=1.0)
        text = names[i] if isinstance(names[i], str) else f"{parts} {count + 1}"
        if len(starts) < _MOST_NAMED:
            top.annotate(f" {text}", (begin, 0.02), xycoords=("data", "axes fraction"), **look)
