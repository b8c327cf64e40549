"""Values with units become one xarray dataset that follows CF-1.11 and ACDD-1.3."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.io import names, timeaxis
from pinnlab.io.coverage import coverage_attributes
from pinnlab.io.schema import Coordinate, Quantity, Site

_ORDER = {"T": 1, "Z": 2, "Y": 3, "X": 4}  # CF 2.4: time, height, latitude, longitude; rest left
_HORIZONTAL = ("latitude", "longitude", "projection_x_coordinate", "projection_y_coordinate")
_CHUNK_BYTES = 4 * 2**20
_SITE = (
    ("latitude", "degrees_north", "latitude of the site"),
    ("longitude", "degrees_east", "longitude of the site"),
)


def build_dataset(
    coordinates: Sequence[Coordinate],
    quantities: Sequence[Quantity],
    attributes: Mapping[str, Any],
    site: Site | None = None,
) -> xr.Dataset:
    """Make the dataset of a run.

    Dimensions are brought into CF's order (others, T, Z, Y, X). Bounds become variables called
    ``<name>_bnds``. A *site* becomes the scalar coordinates ``latitude`` and ``longitude`` of
    every variable. Encodings (compression, fill values, calendar) are set, so that the dataset's
    own ``to_netcdf`` writes the same as :func:`pinnlab.io.files.write_netcdf`.

    Arguments:
        coordinates: one for each dimension.
        quantities: the variables.
        attributes: global ones, at least ``title`` and ``history``; see
            :func:`pinnlab.io.provenance.provenance`. The extents in space and time, and
            ``Conventions``, are added where they are not given.
        site: where it is, if it is at one place.

    Raises:
        PinnlabError: naming the variable, dimension or attribute that does not fit.
    """
    _check_names(coordinates, quantities, site)
    by_name = {c.name: c for c in coordinates}
    ancillary = {q.name for q in quantities}
    for quantity in quantities:
        _check_quantity(quantity, by_name, ancillary, site)
    variables: dict[str, xr.Variable] = {}
    for coordinate in coordinates:
        variables |= _coordinate_variables(coordinate)
    if site is not None:
        variables |= _site_variables(site)
    scalars = [name for name, *_ in _SITE] if site else []
    variables |= {q.name: _quantity_variable(q, by_name) for q in quantities}
    dataset = xr.Dataset(variables, attrs=_global_attributes(attributes, coordinates, site))
    return dataset.set_coords(scalars)


def _global_attributes(
    attributes: Mapping[str, Any], coordinates: Sequence[Coordinate], site: Site | None
) -> dict[str, Any]:
    given = names.clean_attributes(attributes, "global attributes")
    for needed in ("title", "history"):
        if not str(given.get(needed, "")).strip():
            raise PinnlabError(
                f"global attributes: '{needed}' is missing; pinnlab.io.provenance makes it"
            )
    return {"Conventions": names.CONVENTIONS, **coverage_attributes(coordinates, site), **given}


def _check_names(
    coordinates: Sequence[Coordinate], quantities: Sequence[Quantity], site: Site | None
) -> None:
    used = [c.name for c in coordinates] + [q.name for q in quantities]
    used += [f"{c.name}_bnds" for c in coordinates if c.bounds is not None]
    if any(c.bounds is not None for c in coordinates):
        used.append("bnds")
    if site is not None:
        used += [name for name, *_ in _SITE]
    seen: dict[str, str] = {}
    for name in used:
        if name.lower() in seen:
            raise PinnlabError(
                f"dataset: '{name}' and '{seen[name.lower()]}' have the same name (upper and "
                "lower case count as one; bounds, and a site's position, have names of their own)"
            )
        seen[name.lower()] = name


def _check_quantity(
    quantity: Quantity, coordinates: Mapping[str, Coordinate], all_: set[str], site: Site | None
) -> None:
    where = f"variable '{quantity.name}'"
    for dim, size in zip(quantity.dims, quantity.values.shape, strict=True):
        choose(f"dimension of {where}", dim, coordinates)
        expected = coordinates[dim].values.size
        if size != expected:
            raise PinnlabError(
                f"{where}: dimension '{dim}' has {expected} values, but the data have {size} "
                f"along it (shape {quantity.values.shape} for {quantity.dims})"
            )
    for other in quantity.ancillary:
        choose(f"ancillary variable of {where}", other, all_ - {quantity.name})
    places = {*quantity.dims, "area"} | ({name for name, *_ in _SITE} if site else set())
    for place in re.findall(r"(\w+):", re.sub(r"\([^)]*\)", "", quantity.cell_methods)):
        choose(f"name in cell_methods of {where}", place, places)


def _coordinate_variables(c: Coordinate) -> dict[str, xr.Variable]:
    attrs = {"standard_name": c.standard_name, "long_name": c.long_name}
    values, edges = c.values, c.bounds
    encoding: dict[str, Any] = {"_FillValue": None}
    if c.epoch:
        encoding = timeaxis.encoding([a for a in (values, edges) if a is not None], c.epoch)
        attrs |= {"units_metadata": "leap_seconds: none", "time_zone": timeaxis.zone(c.epoch)}
        note = f"dates and clock times are in {attrs['time_zone']} all the year"
        attrs["comment"] = f"{c.comment}; {note}" if c.comment else note
        values, edges = (
            None if a is None else timeaxis.dates(a, c.epoch, f"coordinate '{c.name}'")
            for a in (values, edges)
        )
    else:
        attrs |= {"units": c.units, "comment": c.comment}
        if names.temperature_power(c.units):
            scale = names.is_convertible(c.units, "K")
            attrs["units_metadata"] = f"temperature: {'on_scale' if scale else 'difference'}"
    shown = c.axis if c.axis in ("T", "Z") or c.standard_name in _HORIZONTAL else ""
    attrs |= {"axis": shown, "positive": c.positive, "coverage_content_type": "coordinate"}
    made = {}
    if edges is not None:
        attrs["bounds"] = f"{c.name}_bnds"
        # Bounds inherit their attributes (CF 7.1), and belong to no site.
        own = {**encoding, "coordinates": None}
        made[attrs["bounds"]] = xr.Variable((c.name, "bnds"), edges, {}, own)
    return {c.name: xr.Variable((c.name,), values, _filled(attrs), encoding), **made}


def _site_variables(site: Site) -> dict[str, xr.Variable]:
    made = {}
    for name, units, long_name in _SITE:
        attrs = {"standard_name": name, "long_name": long_name, "units": units}
        value = np.float64(getattr(site, name))
        made[name] = xr.Variable((), value, attrs, {"_FillValue": None})
    return made


def _quantity_variable(q: Quantity, coordinates: Mapping[str, Coordinate]) -> xr.Variable:
    attrs: dict[str, Any] = {"standard_name": q.standard_name, "long_name": q.long_name}
    if q.flags is None:
        attrs["units"] = q.units
        attrs["units_metadata"] = q.temperature and f"temperature: {q.temperature}"
    else:
        attrs["flag_values"] = np.array(list(q.flags.values()), dtype=q.values.dtype)
        attrs["flag_meanings"] = " ".join(q.flags)
    attrs |= {
        "cell_methods": q.cell_methods,
        "ancillary_variables": " ".join(q.ancillary),
        "comment": q.comment,
        "coverage_content_type": q.coverage,
    }
    order = sorted(range(len(q.dims)), key=lambda i: _ORDER.get(coordinates[q.dims[i]].axis, 0))
    values = np.ascontiguousarray(q.values.transpose(order)) if q.dims else q.values
    dims = tuple(q.dims[i] for i in order)
    return xr.Variable(dims, values, _filled(attrs), _data_encoding(values))


def _filled(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in attrs.items() if not (isinstance(v, str) and not v)}


def _data_encoding(values: np.ndarray) -> dict[str, Any]:
    floating = values.dtype.kind == "f"
    encoding: dict[str, Any] = {"_FillValue": values.dtype.type("nan") if floating else None}
    if values.ndim:
        shape = _chunks(values.shape, values.dtype.itemsize)
        encoding |= {"zlib": True, "complevel": 4, "shuffle": True, "chunksizes": shape}
    return encoding


def _chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The whole array if it is small, else halves of its longest dimension until a part is."""
    chunk = list(shape)
    while math.prod(chunk) * itemsize > _CHUNK_BYTES:
        longest = chunk.index(max(chunk))
        chunk[longest] = -(-chunk[longest] // 2)
    return tuple(chunk)
