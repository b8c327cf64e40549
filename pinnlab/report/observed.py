"""The observations of a run: where they are, which were used, how well they are predicted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pinnlab.report import contents, coordinates, field, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Place:
    """Observations of one variable at one place in space, over time: arrays of one shape (n,).

    ``axis`` is the output's axis of time, and ``when`` are the times along it as figures show it.
    """

    name: str
    axis: xr.DataArray
    when: np.ndarray
    values: np.ndarray
    held_out: np.ndarray
    prediction: np.ndarray | None

    @property
    def error(self) -> np.ndarray:
        """Prediction minus observation; NaN where either is missing."""
        if self.prediction is None:
            return np.full(self.values.shape, np.nan)
        return self.prediction - self.values

    def rmse(self, chosen: np.ndarray) -> float:
        """Root mean square error over the *chosen* observations; NaN where there is none."""
        e = self.error[chosen]
        e = e[np.isfinite(e)]
        return float(np.sqrt(np.mean(e**2))) if e.size else float("nan")


def _along(array: xr.DataArray, dim: str) -> str | None:
    """The dimension of *array* that stands for the output axis *dim*: itself or ``_observed``."""
    return next((str(d) for d in array.dims if d in (dim, f"{dim}_observed")), None)


def _flags(ds: xr.Dataset, name: str, like: xr.DataArray) -> xr.DataArray:
    flags = ds.get(f"{name}_held_out")
    if flags is None or set(flags.dims) != set(like.dims):
        return like.copy(data=np.zeros(like.shape, dtype=bool))
    return flags.transpose(*like.dims) == 1


def places(ds: xr.Dataset, name: str, time: str | None) -> list[Place]:
    """Every place of *name* that has observations over time, in the order of the file."""
    values = ds.get(f"{name}_observed")
    if values is None or time is None:
        return []
    over = _along(values, time)
    if over is None:
        return []
    held = _flags(ds, name, values)
    predicted = ds.get(f"{name}_at_observations")
    others = [d for d in values.dims if d != over]
    made = []
    for index in itertools.product(*(range(values.sizes[d]) for d in others)):
        here = dict(zip(others, index, strict=True))
        where = ", ".join(coordinates.place(values[d].isel({d: i})) for d, i in here.items())
        series = np.asarray(values.isel(here).values, dtype=float)
        guess = None if predicted is None else np.asarray(predicted.isel(here), dtype=float)
        if np.isfinite(series).any():
            flags = np.asarray(held.isel(here).values, dtype=bool)
            when = coordinates.numbers(ds[time], values[over].values)
            made.append(Place(where, ds[time], when, series, flags, guess))
    return made


def chosen(all_: list[Place], most: int) -> list[Place]:
    """At most so many places: those with the most held out first, then evenly spread."""
    if len(all_) <= most:
        return all_
    held = sorted((p for p in all_ if p.held_out.any()), key=lambda p: -int(p.held_out.sum()))
    rest = [p for p in all_ if not p.held_out.any()]
    free = max(0, most - len(held))
    spread = [rest[i] for i in np.linspace(0, len(rest) - 1, min(free, len(rest))).astype(int)]
    kept = held[:most] + spread
    return [p for p in all_ if any(p is k for k in kept)]


def mark(ax: Axes, ds: xr.Dataset, name: str, shown: xr.DataArray) -> None:
    """Show on a plane where the variable was observed and where it was held out."""
    values = ds.get(f"{name}_observed")
    if values is None or shown.ndim != 2:
        return
    dims = {str(d): _along(values, str(d)) for d in field.oriented(shown).dims}
    if values.ndim != 2 or None in dims.values():
        return
    values = values.transpose(*dims.values())
    held = np.asarray(_flags(ds, name, values).values, dtype=bool)
    y, x = (coordinates.numbers(ds[axis], ds[d].values) for axis, d in dims.items())
    grid_x, grid_y = np.meshgrid(x, y)
    seen = np.isfinite(np.asarray(values.values, dtype=float))
    sparse = x.size < 60
    for mask, label, colour in (
        (seen & ~held, "observed", "white"),
        (seen & held, "held out", style.HELD_OUT),
    ):
        if not mask.any():
            continue
        if sparse:
            look: dict[str, Any] = {"marker": "o", "markersize": 4, "markeredgecolor": "black"}
            ax.plot(grid_x[mask], grid_y[mask], linestyle="", color=colour, label=label, **look)
            continue
        rows = np.where(mask, grid_y, np.nan)
        for k, row in enumerate(rows):
            # Unclipped and over the frame: sensors often mark the ends of the domain.
            dash = {"linewidth": 1.0, "linestyle": (0, (5, 3))}
            look = {
                "zorder": 3,
                "clip_on": False,
                "color": colour,
                **(dash if colour == "white" else {"linewidth": 3.5}),
            }
            ax.plot(x, row, label=label if k == int(mask.any(axis=1).argmax()) else None, **look)
    style.legend(ax, above=True, frameon=True, facecolor="0.35", labelcolor="white")


def dots(ax: Axes, ds: xr.Dataset, name: str, along: xr.DataArray, upright: bool) -> None:
    """Show observations over one axis, beside the lines of the prediction."""
    values = ds.get(f"{name}_observed")
    if values is None or values.ndim != 1 or _along(values, str(along.name)) is None:
        return
    held = np.asarray(_flags(ds, name, values).values, dtype=bool)
    where = coordinates.numbers(along, values[values.dims[0]].values)
    v = np.asarray(values.values, dtype=float)
    for mask, label, colour in (
        (~held, "observed", style.OBSERVED),
        (held, "held out", style.HELD_OUT),
    ):
        if mask.any():
            pair = (v[mask], where[mask]) if upright else (where[mask], v[mask])
            ax.plot(*pair, linestyle="", marker="o", markersize=4, color=colour, label=label)


def title(place: Place, array: xr.DataArray) -> str:
    """The place and its errors: ``depth = 0.16 m: RMSE 0.15 K where held out``."""
    unit, words = contents.unit(array), []
    for mask, what in ((place.held_out, "held out"), (~place.held_out, "used")):
        value = place.rmse(mask)
        if np.isfinite(value):
            words.append(f"{style.quantity(value, unit)} where {what}")
    where = place.name or contents.title(array)
    return f"{where}: RMSE {', '.join(words)}" if words else where
