"""What a run knows of its own error: the residual of the equation, the spread over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pinnlab.report import contents, coordinates, field, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KINDS = {
    "residual": "|residual| over its natural scale",
    "spread": "standard deviation over seeds",
}
_DECADES = 6.0  # of a logarithmic colour range, at most


def figure(ds: xr.Dataset) -> Figure | None:
    """A row for each variable, or None if neither residual nor spread is there."""
    held = contents.read(ds)
    rows = []
    for name in held.variables:
        kinds = [k for k in _KINDS if contents.companion(ds, name, k) is not None]
        rows += [(name, kinds)] if kinds else []
    if not rows:
        return None
    columns = max(len(kinds) for _, kinds in rows)
    wide = any(coordinates.is_calendar(ds[d]) for d in ds[rows[0][0]].dims)
    shape = (len(rows) * columns, 1) if wide else (len(rows), columns)
    shown = contents.section(ds[rows[0][0]], held.time)[0]
    height = 2.4 if wide else 0.65 + 3.5 * (field.aspect(shown) or 0.9)
    width = style.WIDTH if wide else max(6.5, 5.0 * columns)
    made = style.new_figure(width, 0.3 + height * shape[0])
    axes = made.subplots(*shape, squeeze=False).reshape(len(rows), columns)
    for row, (name, kinds) in zip(axes, rows, strict=True):
        for ax, kind in zip(row, kinds, strict=False):
            _panel(made, ax, ds, name, kind)
        for ax in row[len(kinds) :]:
            ax.remove()
    return made


def _panel(made: Figure, ax: Axes, ds: xr.Dataset, name: str, kind: str) -> None:
    time, whole = contents.read(ds).time, contents.companion(ds, name, kind)
    assert whole is not None
    array, cut = contents.section(whole, time)
    array = abs(array).assign_attrs(whole.attrs)
    label = _KINDS[kind], contents.unit(array)
    title = f"{contents.title(ds[name])}: {kind}{f' at {cut}' if cut else ''}"
    title = title[:1].upper() + title[1:]
    if array.ndim == 2:
        norm = _logarithmic(array.values) if kind == "residual" else None
        low, high = field.limits(array)
        colours = {"vmin": min(0.0, low), "vmax": high} if norm is None else {"norm": norm}
        mesh = field.plane(ax, ds, array, title, cmap=style.POSITIVE, **colours)
        field.colour_bar(made, mesh, [ax], *label)
        return
    along = array[array.dims[0]]
    upright = coordinates.is_vertical(along)
    field.line(ax, along, array, upright, color=style.PREDICTION, linewidth=1.4)
    field.frame(ax, along, title, *label, upright)
    if kind == "residual" and _logarithmic(array.values) is not None:
        (ax.set_xscale if upright else ax.set_yscale)("log")
        # These ticks carry their powers of ten themselves.
        style.set_label(ax.xaxis if upright else ax.yaxis, style.bracketed(*label))


def _logarithmic(values: np.ndarray):
    """A logarithmic colour range, or None where the values do not make one."""
    from matplotlib.colors import LogNorm

    v = np.asarray(values, dtype=float)
    v = v[np.isfinite(v) & (v > 0)]
    if v.size == 0 or v.min() == v.max():
        return None
    low = max(float(np.quantile(v, 0.01)), float(v.max()) * 10**-_DECADES)
    return LogNorm(low, float(v.max()), clip=True) if low < v.max() else None
