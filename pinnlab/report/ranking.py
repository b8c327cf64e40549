"""Instances by their relative error: which to show, and how the errors are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.core.scores import relative_l2
from pinnlab.report import contents, coordinates, field, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIM = "instance"
_TRUTHS = ("reference", "error", "relative_error")
_DOTS = 60  # instances up to which each has its own dot
_STYLES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Held:
    """Names of what is given for each instance.

    ``variables`` are what was predicted, ``inputs`` what it was predicted from, as far as they
    are functions, ``numbers`` as far as they are not.
    """

    variables: tuple[str, ...]
    inputs: tuple[str, ...]
    numbers: tuple[str, ...]
    time: str | None


@dataclass(frozen=True)
class Pick:
    """An instance to show: its place along the dimension, why, and its relative error."""

    index: int
    why: str
    error: float | None

    def title(self, ds: xr.Dataset, held: Held) -> list[str]:
        """``Worst: instance 17``, its error, and the numbers that it was made from."""
        label = ds[DIM].values[self.index]
        words = [f"{self.why}: instance {label}" if self.why else f"Instance {label}"]
        if self.error is not None:
            finite = np.isfinite(self.error)
            words.append(f"relative L2 {style.number(self.error)}" if finite else "not finite")
        for name in held.numbers[:2]:
            value = style.quantity(float(ds[name].values[self.index]), contents.unit(ds[name]))
            words.append(f"{name.replace('_', ' ')} {value}")
        return words


def read(ds: xr.Dataset) -> Held:
    """Tell what was predicted from what it was predicted from: by its reference, if it has one.

    Where nothing has one, all model results of the most dimensions are taken for predicted.
    """
    own = [
        str(name)
        for name, array in ds.data_vars.items()
        if DIM in array.dims
        and array.dtype.kind in "fiu"
        and "flag_values" not in array.attrs
        and not contents.is_companion(ds, str(name))
    ]
    kinds = {n: ds[n].attrs.get("coverage_content_type", "modelResult") for n in own}
    results = [name for name in own if kinds[name] == "modelResult"]
    most = max((ds[name].ndim for name in results), default=0)
    compared = [n for n in own if ds[n].ndim > 1 and any(f"{n}_{t}" in ds for t in _TRUTHS)]
    variables = compared or [n for n in results if ds[n].ndim == most > 1]
    rest = [n for n in own if n not in variables]
    dims = [str(d) for n in variables for d in ds[n].dims if d != DIM]
    return Held(
        tuple(variables),
        tuple(n for n in rest if ds[n].ndim > 1),
        tuple(n for n in rest if ds[n].ndim == 1),
        next((d for d in dims if coordinates.is_time(ds[d])), None),
    )


def sections(array: xr.DataArray, time: str | None) -> tuple[list[xr.DataArray], str]:
    """Each instance over one or two dimensions, and a note of where the others were cut."""
    made = [
        contents.section(array.isel({DIM: i}, drop=True), time) for i in range(array.sizes[DIM])
    ]
    return [shown for shown, _ in made], made[0][1]


def errors(ds: xr.Dataset, name: str) -> np.ndarray | None:
    """The relative L2 error of each instance, (N,): as the run measured it, else from the fields.

    None where there is no reference.
    """
    measured = ds.get(f"{name}_relative_error")
    if measured is not None and measured.dims == (DIM,):
        return np.asarray(measured.values, dtype=float)
    made = _compared(ds, name, DIM)
    return None if made is None else relative_l2(*made)


def over_time(ds: xr.Dataset, name: str, time: str | None) -> np.ndarray | None:
    """The relative L2 error over space at each time, (N, T); None without time or reference."""
    made = None if time is None else _compared(ds, name, DIM, time)
    if made is None:
        return None
    each = (values.reshape(-1, *values.shape[2:]) for values in made)
    return relative_l2(*each).reshape(made[0].shape[:2])


def _compared(ds: xr.Dataset, name: str, *first: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Prediction and reference with these dimensions first."""
    reference = contents.companion(ds, name, "reference")
    if reference is None or not set(first) <= set(reference.dims):
        return None
    return ds[name].transpose(*first, ...).values, reference.transpose(*first, ...).values


def chosen(ds: xr.Dataset, name: str) -> list[Pick]:
    """The best, the median and the worst instance; the first three where nothing tells."""
    found = errors(ds, name)
    if found is None:
        return [Pick(i, "", None) for i in range(min(3, ds.sizes[DIM]))]
    order = np.argsort(np.where(np.isfinite(found), found, np.inf), kind="stable")
    places = {0: "Best", (len(order) - 1) // 2: "Median", len(order) - 1: "Worst"}
    if len(order) < 3:  # no median beside the others
        places = {0: "Best", len(order) - 1: "Worst"} if len(order) == 2 else {0: "Only one"}
    return [Pick(int(order[i]), why, float(found[order[i]])) for i, why in places.items()]


def figure(ds: xr.Dataset) -> Figure | None:
    """The errors of all instances in order, and over time; None where there is no reference."""
    held = read(ds)
    found = {name: e for name in held.variables if (e := errors(ds, name)) is not None}
    if not found:
        return None
    grown = {n: e for n in found if (e := over_time(ds, n, held.time)) is not None}
    made = style.new_figure(style.WIDTH if grown else 7.0, 4.0 + 0.22 * len(found))
    axes = made.subplots(1, 1 + bool(grown), squeeze=False)[0]
    _in_order(axes[0], ds, found)
    if grown and held.time is not None:
        _growth(axes[1], ds, grown, held.time)
    shown = axes[0].get_legend_handles_labels()
    made.legend(*shown, loc="outside lower left", fontsize=style.TICK, frameon=False)
    return made


def _in_order(ax: Axes, ds: xr.Dataset, found: dict[str, np.ndarray]) -> None:
    """Sorted errors over the share of instances, which is read off as a quantile."""
    for i, (name, e) in enumerate(found.items()):
        finite = np.sort(e[np.isfinite(e)])
        share = 100.0 * (np.arange(finite.size) + 0.5) / e.size
        words = f"{contents.title(ds[name])}: no finite error"
        if finite.size:
            ends = np.median(finite), np.quantile(finite, 0.9), finite[-1]
            half, most, last = (style.number(float(q)) for q in ends)
            words = f"{contents.title(ds[name])}: median {half}, 90 % below {most}, worst {last}"
        if 0 < finite.size < e.size:
            words += f"; {e.size - finite.size} not finite"
        marker = "o" if finite.size <= _DOTS else ""
        shown = np.where(finite > 0, finite, np.nan)
        ax.plot(share, shown, label=words, marker=marker, markersize=3.5, **_look(i))
    count = ds.sizes[DIM]
    style.dress(ax, f"Relative L2 error of {count} instances" if count > 1 else "Relative L2 error")
    ax.set_xlim(0, 100)
    style.set_label(ax.xaxis, "share of instances with a smaller error [%]")
    _logarithmic(ax)


def _growth(ax: Axes, ds: xr.Dataset, grown: dict[str, np.ndarray], time: str) -> None:
    """The median error over time and the range of the middle 80 % of the instances."""
    for i, e in enumerate(grown.values()):
        columns = [column[np.isfinite(column) & (column > 0)] for column in e.T]
        low, half, high = (
            np.array([np.quantile(c, q) if c.size else np.nan for c in columns])
            for q in (0.1, 0.5, 0.9)
        )
        look = _look(i)
        field.band(ax, ds[time], low, high, color=look["color"], alpha=0.25)
        field.line(ax, ds[time], half, **look)
    field.frame(ax, ds[time], "At each time: median, and 10 % to 90 %", "", "1")
    _logarithmic(ax)


def _look(i: int) -> dict[str, Any]:
    colours = (style.PREDICTION, *style.CYCLE)
    return {
        "color": colours[i % len(colours)],
        "linestyle": _STYLES[i % len(_STYLES)],
        "linewidth": 1.8,
    }


def _logarithmic(ax: Axes) -> None:
    """A logarithmic side with powers of ten, unless there is nothing that it could show."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.lines])
    if np.isfinite(values).any():
        ax.set_yscale("log")
    style.set_label(ax.yaxis, "relative L2 error")
