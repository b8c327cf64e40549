"""Time series at the observed places: what was measured, what was held out, what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.report import contents, field, observed, style
from pinnlab.report.observed import Place

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PLACES, _MOST_SPANS = 8, 6
_HEADROOM = 0.2  # of the height, for the legend


def figure(ds: xr.Dataset) -> Figure | None:
    """All observed places of all variables below each other, or None if nothing was observed."""
    time = contents.read(ds).time
    rows: list[tuple[str, Place]] = []
    cut = []
    for name in contents.read(ds).variables:
        found = observed.places(ds, name, time)
        kept = observed.chosen(found, _MOST_PLACES)
        rows += [(name, place) for place in kept]
        if len(kept) < len(found):
            cut.append(f"{len(kept)} of {len(found)} places of {contents.title(ds[name])}")
    if not rows:
        return None
    heights = [h for _, place in rows for h in _heights(place)]
    made = style.new_figure(style.WIDTH, 0.6 + sum(heights))
    shape: dict[str, Any] = {"sharex": True, "squeeze": False, "height_ratios": heights}
    axes = list(made.subplots(len(heights), 1, **shape)[:, 0])
    free = iter(axes)
    for i, (name, place) in enumerate(rows):
        panels([next(free) for _ in _heights(place)], ds[name], place, i == 0)
    for ax in axes[:-1]:
        style.hide_foot(ax)
    note = f" ({', '.join(cut)})" if cut else ""
    made.suptitle(f"Observations and prediction{note}", fontsize=style.TITLE, x=0.01, ha="left")
    return made


def _heights(place: Place) -> list[float]:
    """Inches: of the values, and of the error below if some observations were held out."""
    return [2.0, 1.1] if place.held_out.any() and place.prediction is not None else [1.6]


def beside(figure: Any, array: xr.DataArray, place: Place) -> None:
    """Draw one place into a part of a figure."""
    heights = _heights(place)
    shape: dict[str, Any] = {"sharex": True, "squeeze": False, "height_ratios": heights}
    axes = list(figure.subplots(len(heights), 1, **shape)[:, 0])
    panels(axes, array, place, True)
    for ax in axes[:-1]:
        style.hide_foot(ax)


def panels(axes: list[Axes], array: xr.DataArray, place: Place, named: bool) -> None:
    """Draw one place on one panel, or on two: the second for its error."""
    _values(axes[0], place)
    unit = contents.unit(array)
    field.frame(axes[0], place.axis, observed.title(place, array), contents.title(array), unit)
    if named or place.held_out.any():
        low, high = axes[0].get_ylim()
        axes[0].set_ylim(low, high + _HEADROOM * (high - low))
        style.legend(axes[0], loc="upper right", ncols=3, markerscale=2, frameon=False)
    if len(axes) > 1:
        error, when = place.error, place.when
        axes[1].axhline(0, color="0.6", linewidth=0.8)
        for mask, colour in ((~place.held_out, style.OBSERVED), (place.held_out, style.HELD_OUT)):
            drawn = np.ma.masked_invalid(np.where(mask, error, np.nan))
            axes[1].plot(when, drawn, color=colour, linewidth=1.0)
        field.frame(axes[1], place.axis, "", "error", unit)
    for ax in axes:
        _shade(ax, place)


def _values(ax: Axes, place: Place) -> None:
    when, held = place.when, place.held_out
    size = 4.0 if when.size < 150 else 2.2
    used = np.where(held, np.nan, place.values)
    look: dict[str, Any] = {
        "linestyle": "",
        "marker": "o",
        "markersize": size,
        "markeredgewidth": 0,
    }
    if np.isfinite(used).any():
        ax.plot(when, used, color=style.OBSERVED, label="observed, used", **look)
    if held.any():
        hidden = np.where(held, place.values, np.nan)
        ax.plot(when, hidden, color=style.HELD_OUT, label="observed, held out", **look)
    if place.prediction is not None:
        line = np.ma.masked_invalid(place.prediction)
        ax.plot(when, line, color=style.PREDICTION, linewidth=1.5, label="prediction")


def _shade(ax: Axes, place: Place) -> None:
    """Shade the spans that were held out, unless they are scattered."""
    when, held = place.when, place.held_out.astype(int)
    steps = np.diff(np.concatenate([[0], held, [0]]))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    if starts.size <= _MOST_SPANS:
        for i, j in zip(starts, ends, strict=True):
            ax.axvspan(when[i], when[j], color=style.HELD_OUT, alpha=0.08, linewidth=0)
