"""Panels of a variable: colour over a plane, or a line over one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.report import coordinates, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

_MOST = 1000  # cells along an axis; a panel has fewer pixels


def oriented(array: xr.DataArray) -> xr.DataArray:
    """Two dimensions as (vertical, horizontal): time and x lie along the foot."""
    vertical, horizontal = sorted(
        array.dims, key=lambda d: coordinates.upwardness(array[d]), reverse=True
    )
    return array.transpose(vertical, horizontal)


def finite(values: Any) -> np.ma.MaskedArray:
    """*values* as numbers, with all that are not finite masked."""
    return np.ma.masked_invalid(np.asarray(values, dtype=float))


def limits(*arrays: Any, symmetric: bool = False) -> tuple[float, float]:
    """A colour range over all finite values, of more than no width."""
    values = np.concatenate([finite(a).compressed() for a in arrays])
    if values.size == 0:
        return (-1.0, 1.0) if symmetric else (0.0, 1.0)
    low, high = float(values.min()), float(values.max())
    if symmetric:
        high = max(abs(low), abs(high)) or 1.0
        return -high, high
    margin = max(1e-9 * max(abs(low), abs(high)), 1e-300)
    if high - low > margin:
        return low, high
    half = 0.5 * abs(low) or 1.0  # a constant field lies in the middle of the colours
    return low - half, high + half


def plane(ax: Axes, ds: xr.Dataset, array: xr.DataArray, title: str, **colours: Any) -> QuadMesh:
    """Draw a two-dimensional *array* as coloured cells; missing values are grey."""
    array = oriented(array)
    vertical, horizontal = (str(d) for d in array.dims)
    step = [max(1, -(-n // _MOST)) for n in array.shape]
    sides = [coordinates.edges(ds, d) for d in (vertical, horizontal)]
    y, x = (np.append(e[:-1:s], e[-1]) if s > 1 else e for e, s in zip(sides, step, strict=True))
    values = finite(array.values[:: step[0], :: step[1]])
    ax.set_facecolor(style.MISSING)
    mesh = ax.pcolormesh(x, y, values, rasterized=True, **colours)
    foot, side = array[horizontal], array[vertical]
    style.dress(ax, title, grid=False)
    coordinates.format_axis(ax.xaxis, foot)
    coordinates.format_axis(ax.yaxis, side)
    if coordinates.is_down(side) and not ax.yaxis_inverted():
        ax.invert_yaxis()
    return mesh


def aspect(array: xr.DataArray) -> float | None:
    """Height over width of a map, or None for a plane that is none.

    Both axes of a map are lengths in one unit and of similar extent, so that shapes matter.
    """
    if array.ndim != 2:
        return None
    vertical, horizontal = (array[d] for d in oriented(array).dims)
    if coordinates.is_time(horizontal) or coordinates.is_vertical(vertical):
        return None
    if vertical.attrs.get("units") != horizontal.attrs.get("units"):
        return None
    high, wide = float(np.ptp(vertical.values)), float(np.ptp(horizontal.values))
    return high / wide if wide > 0 and 1 / 3 <= high / wide <= 3 else None


def colour_bar(figure: Any, mesh: QuadMesh, axes: list[Axes], name: str, unit: str) -> None:
    """A bar beside *axes* with a label that names quantity and unit."""
    from matplotlib.colors import LogNorm

    bar = figure.colorbar(mesh, ax=axes, pad=0.015, fraction=0.05, aspect=25)
    bar.ax.tick_params(labelsize=style.TICK)
    if isinstance(mesh.norm, LogNorm):
        label = style.bracketed(name, unit)
    else:
        label = style.scale_axis(bar.ax.yaxis, name, unit, *mesh.get_clim())
    style.set_label(bar.ax.yaxis, label)


def line(ax: Axes, along: xr.DataArray, values: Any, upright: bool = False, **look: Any) -> None:
    """Draw *values* over a coordinate, which stands on the side if *upright*."""
    place, v = coordinates.numbers(along), finite(values)
    ax.plot(*((v, place) if upright else (place, v)), **look)


def band(
    ax: Axes, along: xr.DataArray, low: Any, high: Any, upright: bool = False, **look: Any
) -> None:
    """Shade between *low* and *high* over a coordinate."""
    fill = ax.fill_betweenx if upright else ax.fill_between
    fill(coordinates.numbers(along), finite(low), finite(high), linewidth=0, **look)


def frame(
    ax: Axes, along: xr.DataArray, title: str, name: str, unit: str, upright: bool = False
) -> None:
    """Label the axes of lines over a coordinate; depth grows downwards."""
    style.dress(ax, title)
    side, foot = (ax.yaxis, ax.xaxis) if upright else (ax.xaxis, ax.yaxis)
    coordinates.format_axis(side, along)
    low, high = np.nan_to_num(foot.get_data_interval(), posinf=0.0, neginf=0.0)
    label = style.scale_axis(foot, name, unit, float(low), float(high))
    style.set_label(foot, label)
    if upright:
        ax.margins(y=0.0)
        if coordinates.is_down(along) and not ax.yaxis_inverted():
            ax.invert_yaxis()
    else:
        ax.margins(x=0.0)
