"""The axes of a dataset as figures show them: values, cell edges, labels, dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.report import style

if TYPE_CHECKING:
    import xarray as xr

_TIME_UNITS = {"s", "ms", "us", "min", "h", "d", "day", "days", "hours", "minutes", "seconds"}
_TIME_UNITS |= {"year", "years", "yr", "a"}
# Model time in seconds is shown in the largest unit of which the axis has at least two.
_LONGER = ((3.15576e7, "years"), (86400.0, "days"), (3600.0, "hours"))
_RIGHTWARD = {"x", "lon", "longitude"}
_UPWARD = {"y", "lat", "latitude"}
_VERTICAL = {"z", "depth", "height", "altitude", "level"}


def is_calendar(coordinate: xr.DataArray) -> bool:
    """Whether the values are dates."""
    return coordinate.dtype.kind == "M"


def is_time(coordinate: xr.DataArray) -> bool:
    """Whether this is calendar time or model time."""
    attrs, name = coordinate.attrs, str(coordinate.name).removesuffix("_observed")
    return (
        is_calendar(coordinate)
        or name in ("t", "time")
        or attrs.get("axis") == "T"
        or attrs.get("units") in _TIME_UNITS
        or "time" in str(attrs.get("long_name", "")).split()
    )


def is_down(coordinate: xr.DataArray) -> bool:
    """Whether the coordinate grows downwards, as depth does."""
    return coordinate.attrs.get("positive") == "down"


def is_vertical(coordinate: xr.DataArray) -> bool:
    """Whether the coordinate points up or down."""
    return "positive" in coordinate.attrs or coordinate.name in _VERTICAL


def upwardness(coordinate: xr.DataArray) -> int:
    """How much this axis belongs on a figure's side (4) rather than along its foot (0)."""
    name, attrs = str(coordinate.name), coordinate.attrs
    if is_time(coordinate) or name in _RIGHTWARD or attrs.get("standard_name") == "longitude":
        return 0 if is_time(coordinate) else 1
    if is_vertical(coordinate):
        return 4
    return 3 if name in _UPWARD or attrs.get("standard_name") == "latitude" else 2


def _scale(coordinate: xr.DataArray) -> tuple[float, str]:
    unit = str(coordinate.attrs.get("units", ""))
    if unit in ("s", "seconds") and is_time(coordinate) and coordinate.size:
        longest = float(np.nanmax(np.abs(coordinate.values.astype(float))))
        for seconds, longer in _LONGER:
            if longest >= 2 * seconds:
                return seconds, longer
    return 1.0, unit


def numbers(coordinate: xr.DataArray, values: Any = None) -> np.ndarray:
    """Values (the coordinate's own, or *values* along it) as numbers that matplotlib places."""
    given = np.asarray(coordinate.values if values is None else values)
    if is_calendar(coordinate):
        from matplotlib.dates import date2num

        return np.asarray(date2num(given), dtype=float)
    return given.astype(float) / _scale(coordinate)[0]


def edges(ds: xr.Dataset, dim: str) -> np.ndarray:
    """Edges of the cells along *dim*, shape (n + 1,): its bounds, or half way between values.

    Without bounds the first and the last cell end at their values, which are the domain's ends.
    """
    coordinate = ds[dim]
    bounds = ds.get(str(coordinate.attrs.get("bounds", "")))
    if bounds is not None and bounds.shape == (coordinate.size, 2):
        pairs = numbers(coordinate, bounds.values)
        if np.array_equal(pairs[1:, 0], pairs[:-1, 1]):  # cells that touch
            return np.append(pairs[:, 0], pairs[-1, 1])
    v = numbers(coordinate)
    return np.concatenate([v[:1], 0.5 * (v[:-1] + v[1:]), v[-1:]])


def place(coordinate: xr.DataArray) -> str:
    """One value of a coordinate in words: ``depth = 0.16 m``, ``2014-07-08 12:00``."""
    if is_calendar(coordinate):
        return str(np.datetime_as_string(coordinate.values, unit="m")).replace("T", " ")
    scale, unit = _scale(coordinate)
    name = str(coordinate.name).removesuffix("_observed")
    value = f"{float(coordinate.values) / scale:.4g}"
    return f"{name} = {value} {style.units(unit)}".rstrip()


def format_axis(axis: Any, coordinate: xr.DataArray) -> None:
    """Ticks and label: concise dates along calendar time, plain numbers with units elsewhere."""
    name = str(coordinate.attrs.get("long_name") or coordinate.name).replace("_", " ")
    if not is_calendar(coordinate):
        short = str(coordinate.name).removesuffix("_observed")
        name = name if name == short or len(short) > 2 else f"{name} {short}"
        low, high = np.nan_to_num(numbers(coordinate)[[0, -1]])
        label = style.scale_axis(axis, name, _scale(coordinate)[1], float(low), float(high))
        style.set_label(axis, label)
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=10)
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))
    axis.get_offset_text().set_fontsize(style.TICK)
    zone = coordinate.attrs.get("time_zone", "")
    style.set_label(axis, f"time ({zone})" if zone else name)
