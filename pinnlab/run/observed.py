"""Observations from a CF file: a tensor of values over the equation's axes, part of it held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pinnlab.core.conditions import Observations
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.units import convert, quantity
from pinnlab.equations.base import Equation
from pinnlab.io import Site, read_dataset


@dataclass(frozen=True, eq=False)
class Observed:
    """One variable seen on a tensor of coordinates.

    ``coordinates`` holds (n,) arrays in the domain's order and units, ``values`` the tensor (NaN
    where nothing was seen), ``held_out`` marks what is kept for judging. ``epoch`` is the calendar
    time at which the time axis is zero. ``truth`` holds the parameters that synthetic values were
    made with; measured ones have none.
    """

    variable: str
    coordinates: Mapping[str, np.ndarray]
    values: np.ndarray
    held_out: np.ndarray
    sigma: float
    epoch: str = ""
    site: Site | None = None
    source: str = ""
    truth: Mapping[str, float] = field(default_factory=dict)

    def training(self) -> Observations:
        """What a training may see."""
        use = ~self.held_out & np.isfinite(self.values)
        grids = np.meshgrid(*self.coordinates.values(), indexing="ij")
        points = {a: g[use] for a, g in zip(self.coordinates, grids, strict=True)}
        return Observations(self.variable, points, self.values[use], self.sigma)

    def rmse(self, predicted: np.ndarray) -> dict[str, float]:
        """Root mean square errors at what was used and at what was held out."""
        square, seen = (predicted - self.values) ** 2, np.isfinite(self.values)
        parts = {"rmse_used": seen & ~self.held_out, "rmse_held_out": seen & self.held_out}
        return {k: float(np.sqrt(square[part].mean())) for k, part in parts.items() if part.any()}


def data_file(name: str, key: str = "observations.file") -> Path:
    """A data file: as given, in the working directory, or among the package's own.

    Raises:
        PinnlabError: there is none.
    """
    package = Path(__file__).resolve().parents[1]
    folders = (Path(), package / "data", package.parent / "data")
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise PinnlabError(f"{key}: there is no '{name}' here or among pinnlab's own data")


def read_observed(
    equation: Equation,
    file: str,
    variable: str,
    name: str,
    axes: Mapping[str, str],
    sigma: float | str,
    epoch: str = "",
    held_out: Mapping[str, Any] | None = None,
    lat: str = "lat",
    lon: str = "lon",
) -> Observed:
    """Read observations of the equation's *variable* from *name* in a netCDF or Zarr *file*.

    Arguments:
        axes: for each axis of the domain the dimension of the file.
        sigma: standard deviation, in the variable's units or with a unit of its own.
        epoch: ISO 8601 with an offset; the file's calendar time is counted from it.
        held_out: ``{axis: value, ..., after: time}``, kept for judging.

    Raises:
        PinnlabError: a missing file, name, dimension or unit, or a coordinate out of the domain.
    """
    ds = read_dataset(data_file(file))
    choose("variable (observations.name)", name, ds.data_vars)
    choose("variable (observations.variable)", variable, equation.variables.names)
    array, domain = ds[name], equation.domain
    if set(axes) != set(domain.axes):
        raise PinnlabError(f"observations.axes: name a dimension for each of {domain.axes}")
    for dim in axes.values():
        choose("dimension (observations.axes)", dim, array.dims)
    array = array.transpose(*(axes[a] for a in domain.axes))
    coordinates = {a: _column(array[axes[a]], domain[a], epoch) for a in domain.axes}
    for axis, column in coordinates.items():
        slack = 1e-9 * domain[axis].length
        if column.min() < domain[axis].lower - slack or column.max() > domain[axis].upper + slack:
            raise PinnlabError(
                f"observations: '{axes[axis]}' runs from {column.min():g} to {column.max():g} "
                f"{domain[axis].units}, outside of the axis '{axis}' (equation.domain.{axis})"
            )
    unit = equation.variables[variable].units
    offset = convert(0.0, array.attrs.get("units", unit), unit, "observations")
    factor = convert(1.0, array.attrs.get("units", unit), unit, "observations") - offset
    site = Site(float(ds[lat]), float(ds[lon])) if lat in ds and lon in ds else None
    return Observed(
        variable=variable,
        coordinates=coordinates,
        values=np.asarray(array.values, float) * factor + offset,
        held_out=_held_out(equation, coordinates, held_out or {}),
        sigma=quantity(sigma, unit, "observations.sigma"),
        epoch=epoch,
        site=site,
        source=str(ds.attrs.get("references") or ds.attrs.get("title", file)),
    )


def _column(column: Any, axis: Any, epoch: str) -> np.ndarray:
    if np.issubdtype(column.dtype, np.datetime64):
        if not epoch:
            raise PinnlabError("observations.epoch: give the calendar time of the time axis's zero")
        zero = datetime.fromisoformat(epoch).astimezone(UTC).replace(tzinfo=None)
        seconds = (column.values - np.datetime64(zero)) / np.timedelta64(1, "s")
        return np.asarray(seconds, float)
    factor = convert(1.0, column.attrs.get("units", axis.units), axis.units, "observations.axes")
    return np.asarray(column.values, float) * factor


def _held_out(
    equation: Equation, coordinates: Mapping[str, np.ndarray], rule: Mapping[str, Any]
) -> np.ndarray:
    domain, time = equation.domain, equation.domain.time
    grids = np.meshgrid(*coordinates.values(), indexing="ij")
    place = dict(zip(coordinates, grids, strict=True))
    marked = np.full(grids[0].shape, bool(rule))
    for key, value in rule.items():
        choose("key (observations.held_out)", key, [*domain.space, "after"])
        axis = str(time) if key == "after" else key
        value = quantity(value, domain[axis].units, f"observations.held_out.{key}")
        if key == "after":
            marked &= place[axis] >= value
        else:
            marked &= np.isclose(place[axis], value)
    if rule and not marked.any():
        raise PinnlabError(f"observations.held_out: {dict(rule)} marks no observation")
    return marked
