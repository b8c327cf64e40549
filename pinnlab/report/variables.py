"""One variable of a run: prediction, reference and error side by side, with what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.report import contents, coordinates, field, observed, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def is_line(ds: xr.Dataset, name: str, time: str | None) -> bool:
    """Whether the variable is drawn as a line, over one axis."""
    return contents.section(ds[name], time)[0].ndim < 2


def is_wide(ds: xr.Dataset, name: str, time: str | None) -> bool:
    """Whether its panels want the whole width: those over calendar time."""
    dims = contents.section(ds[name], time)[0].dims
    return any(coordinates.is_calendar(ds[d]) for d in dims)


def count(ds: xr.Dataset, name: str) -> int:
    """How many panels it has: prediction, and reference and error where they are known."""
    reference, error = contents.companion(ds, name, "reference"), contents.error(ds, name)
    return 1 + (reference is not None) + (error is not None)


def panels(figure: Any, ds: xr.Dataset, name: str, time: str | None, columns: int) -> None:
    """Draw a variable over a plane: prediction and reference in one range, error in its own.

    The panels stand in a row of so many *columns*, or below each other if they are wide.
    """
    prediction, _ = contents.section(ds[name], time)
    title = contents.title(prediction)
    shown = {f"{title[:1].upper()}{title[1:]}: prediction": prediction}
    reference = contents.companion(ds, name, "reference")
    if reference is not None:
        shown["Reference"] = contents.section(reference, time)[0]
    difference = contents.error(ds, name)
    wide = is_wide(ds, name, time)
    axes = list(
        figure.subplots(*((count(ds, name), 1) if wide else (1, columns)), squeeze=False).flat
    )
    for ax in axes[count(ds, name) :]:
        ax.set_axis_off()  # it keeps its place, so that the panels of all variables are alike
    axes = axes[: count(ds, name)]
    low, high = field.limits(*shown.values())
    colours = {"cmap": style.VALUES, "vmin": low, "vmax": high}
    for ax, (kind, array) in zip(axes, shown.items(), strict=False):
        mesh = field.plane(ax, ds, array, kind, **colours)
    observed.mark(axes[0], ds, name, prediction)
    unit = contents.unit(prediction)
    field.colour_bar(figure, mesh, axes[: len(shown)], title, unit)
    if difference is not None:
        _error_panel(figure, axes[-1], ds, name, contents.section(difference, time)[0], wide)
    _share_labels(axes, wide)


def _error_panel(
    figure: Any, ax: Axes, ds: xr.Dataset, name: str, error: xr.DataArray, wide: bool
) -> None:
    low, high = field.limits(error, symmetric=True)
    words = contents.error_words(ds, name, error)
    title = f"Error: {', '.join(words if wide else words[:1])}"  # the colour bar tells the maximum
    mesh = field.plane(ax, ds, error, title, cmap=style.SIGNED, vmin=low, vmax=high)
    field.colour_bar(figure, mesh, [ax], "prediction − reference", contents.unit(error))


def _share_labels(axes: list[Axes], wide: bool) -> None:
    for ax in axes[:-1] if wide else axes[1:]:
        ax.label_outer() if not wide else style.hide_foot(ax)


def lines(figure: Any, ds: xr.Dataset, name: str, time: str | None) -> None:
    """Draw a variable over one axis: prediction, reference and observations, the error beside."""
    prediction, _ = contents.section(ds[name], time)
    along = prediction[prediction.dims[0]]
    error = contents.error(ds, name)
    upright = coordinates.is_vertical(along)
    axes = _pair(figure, error is not None, upright)
    _curves(axes[0], ds, name, time, upright)
    title = contents.title(prediction)
    unit = contents.unit(prediction)
    field.frame(axes[0], along, title[:1].upper() + title[1:], title, unit, upright)
    style.legend(axes[0])
    if error is None:
        return
    error = contents.section(error, time)[0]
    (axes[1].axvline if upright else axes[1].axhline)(0, color="0.6")
    field.line(axes[1], along, error, upright, color=style.HELD_OUT, linewidth=1.2)
    title = f"Error: {', '.join(contents.error_words(ds, name, error))}"
    field.frame(axes[1], along, title, "error", contents.unit(error), upright)
    if upright:
        axes[1].set_ylabel("")
    else:
        style.hide_foot(axes[0])


def _pair(figure: Any, two: bool, upright: bool) -> list[Axes]:
    if not two:
        return [figure.subplots()]
    if upright:
        return list(figure.subplots(1, 2, sharey=True, width_ratios=[1.6, 1]))
    return list(figure.subplots(2, 1, sharex=True, height_ratios=[2.5, 1]))


def _curves(ax: Axes, ds: xr.Dataset, name: str, time: str | None, upright: bool) -> None:
    prediction, _ = contents.section(ds[name], time)
    along = prediction[prediction.dims[0]]
    spread = contents.companion(ds, name, "spread")
    reference = contents.companion(ds, name, "reference")
    if spread is not None:
        s, p = field.finite(contents.section(spread, time)[0]), field.finite(prediction)
        look = {"color": style.PREDICTION, "alpha": 0.25, "label": "± 1 std. dev. over seeds"}
        field.band(ax, along, p - s, p + s, upright, **look)
    field.line(ax, along, prediction, upright, label="prediction", **style.LEARNED_LINE)
    if reference is not None:
        cut = contents.section(reference, time)[0]
        field.line(ax, along, cut, upright, label="reference", **style.REFERENCE_LINE)
    observed.dots(ax, ds, name, along, upright)
    if not np.isfinite(np.asarray(prediction.values, dtype=float)).any():
        ax.text(0.5, 0.5, "no finite values", transform=ax.transAxes, ha="center")
