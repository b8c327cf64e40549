"""What a dataset is made of: coordinates, quantities and a site, as plain numbers with units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.io import names
from pinnlab.io.bounds import is_monotonic
from pinnlab.io.timeaxis import check_epoch

Coverage = Literal[
    "modelResult",
    "referenceInformation",
    "physicalMeasurement",
    "auxiliaryInformation",
    "qualityInformation",
]
_COVERAGE = Coverage.__args__  # type: ignore[attr-defined]
_MEANING = re.compile(r"[A-Za-z0-9_.+@-]+")
_GLOBE = {"degrees_north": "latitude", "degrees_east": "longitude"}


@dataclass(frozen=True, eq=False)
class Coordinate:
    """One dimension of the output.

    Arguments:
        name: of the dimension and its variable. ``time`` is kept for calendar time.
        values: (n,), finite, strictly monotonic.
        units: as CF writes them; ``s`` where there is an *epoch*.
        long_name: what a person reads.
        standard_name: from the CF table, or empty; never invented.
        axis: ``T``, ``Z``, ``Y``, ``X`` or empty; it puts the dimensions in order. ``T`` belongs
            to calendar time, and ``Z`` needs *positive*, unless the units are a pressure. In the
            file, ``Y`` and ``X`` stand on geographic and projected coordinates only, as checkers
            take every other one for a latitude or longitude with wrong units.
        positive: ``up`` or ``down``.
        bounds: (n, 2), the cells' edges (:func:`pinnlab.io.bounds.midpoint_bounds`), or ``None``.
        epoch: makes a calendar of it: ISO 8601 with an offset, ``2014-07-01T00:00:00-08:00``.
            *values* are seconds since then, and dates are written in the epoch's own zone.
        comment: any further word.

    Raises:
        PinnlabError: naming the coordinate, what is wrong and what would be right.
    """

    name: str
    values: Any
    units: str
    long_name: str
    standard_name: str = ""
    axis: str = ""
    positive: str = ""
    bounds: Any = None
    epoch: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        where = f"coordinate '{self.name}'"
        names.check_name(self.name, "coordinate")
        _set(self, units=names.check_units(self.units, where), values=_array(self.values, where))
        _need_long_name(self.long_name, where)
        if self.values.ndim != 1 or self.values.size == 0 or not is_monotonic(self.values):
            raise PinnlabError(
                f"{where}: values of shape {self.values.shape} must be one-dimensional, finite "
                "and strictly rising or falling"
            )
        if self.bounds is not None:
            _check_bounds(self, where)
        _check_calendar(self, where)
        _check_axis(self, where)


@dataclass(frozen=True, eq=False)
class Quantity:
    """One variable of the output.

    Arguments:
        name: readable, such as ``soil_temperature_error``.
        dims: names of coordinates; ``()`` for a single number.
        values: of the shape that *dims* tell. ``NaN`` is a missing value.
        units: as CF writes them; of a flag ``1`` or empty.
        long_name: what a person reads.
        standard_name: from the CF table, with a modifier where one applies
            (``soil_temperature standard_error``), or empty; never invented.
        ancillary: names of quantities that say how good this one is.
        cell_methods: CF section 7.3, such as ``time: mean depth: point``.
        temperature: ``on_scale`` or ``difference``; needed where *units* are a temperature, and
            ``difference`` by default where they only contain one (``W m-2 K-1``).
        flags: meaning -> integer, for a quantity that says which of a few cases holds.
        comment: any further word.
        coverage: ISO 19115-1 content type.

    Raises:
        PinnlabError: naming the quantity, what is wrong and what would be right.
    """

    name: str
    dims: tuple[str, ...]
    values: Any
    units: str
    long_name: str
    standard_name: str = ""
    ancillary: tuple[str, ...] = ()
    cell_methods: str = ""
    temperature: str = ""
    flags: Mapping[str, int] | None = None
    comment: str = ""
    coverage: Coverage = "modelResult"

    def __post_init__(self) -> None:
        where = f"variable '{self.name}'"
        names.check_name(self.name, "variable")
        values = _array(self.values, where)
        _set(self, values=values, dims=_words(self.dims), ancillary=_words(self.ancillary))
        _need_long_name(self.long_name, where)
        if len(set(self.dims)) < len(self.dims):
            raise PinnlabError(f"{where}: dimensions {self.dims} name one twice")
        if values.ndim != len(self.dims):
            raise PinnlabError(
                f"{where}: dimensions {self.dims} need {len(self.dims)}-dimensional values, "
                f"got shape {values.shape}"
            )
        if self.coverage not in _COVERAGE:
            raise PinnlabError(f"{where}: coverage '{self.coverage}' is none of {_COVERAGE}")
        if self.flags is not None:
            _check_flags(self, where)
        else:
            _set(self, units=names.check_units(self.units, where))
            _set(self, temperature=_temperature(self.temperature, self.units, where))


@dataclass(frozen=True)
class Site:
    """The place that a dataset belongs to: degrees north, degrees east, and what it is called."""

    latitude: float
    longitude: float
    name: str = ""

    def __post_init__(self) -> None:
        if not -90 <= self.latitude <= 90:
            raise PinnlabError(f"site: latitude {self.latitude} is outside of -90 to 90")
        if not -180 <= self.longitude <= 360:
            raise PinnlabError(f"site: longitude {self.longitude} is outside of -180 to 360")


def _set(frozen: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


def _words(names_: Any) -> tuple[str, ...]:
    return (names_,) if isinstance(names_, str) else tuple(names_)


def _array(values: Any, where: str) -> np.ndarray:
    """*values* in a type that CF and Zarr know, in the machine's byte order."""
    array = np.asarray(values)
    if array.dtype == np.bool_:
        return array.astype(np.int8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise PinnlabError(f"{where}: values of type {array.dtype} must be real numbers")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _need_long_name(long_name: str, where: str) -> None:
    if not isinstance(long_name, str) or not long_name.strip():
        raise PinnlabError(f"{where}: long_name is missing; say in a few words what it is")


def _check_bounds(coordinate: Coordinate, where: str) -> None:
    values, edges = coordinate.values, _array(coordinate.bounds, f"{where}, bounds")
    if edges.shape != (values.size, 2) or not np.isfinite(edges).all():
        raise PinnlabError(
            f"{where}: bounds of shape {edges.shape} must be finite and of shape {values.size, 2}"
        )
    inside = (edges.min(axis=1) <= values) & (values <= edges.max(axis=1))
    if not inside.all():
        i = int(np.argmin(inside))
        raise PinnlabError(f"{where}: value {values[i]} lies outside of its bounds {edges[i]}")
    kind = np.result_type(values, edges)  # CF wants one type for both
    _set(coordinate, values=values.astype(kind), bounds=edges.astype(kind))


def _check_calendar(coordinate: Coordinate, where: str) -> None:
    calendar = coordinate.name == "time" or coordinate.standard_name == "time"
    if coordinate.epoch:
        check_epoch(coordinate.epoch, where)
        if coordinate.units != "s" or coordinate.standard_name not in ("", "time"):
            raise PinnlabError(
                f"{where}: calendar time is given in seconds since its epoch; set units to 's' "
                "and leave standard_name empty"
            )
        _set(coordinate, axis="T", standard_name="time")
    elif calendar or coordinate.axis == "T":
        raise PinnlabError(
            f"{where}: only calendar time is called 'time' and has axis 'T'; give an epoch such "
            "as '2014-07-01T00:00:00-08:00', or call model time 't' and leave its axis empty"
        )


def _check_axis(coordinate: Coordinate, where: str) -> None:
    if coordinate.axis not in ("", "T", "Z", "Y", "X"):
        raise PinnlabError(f"{where}: axis '{coordinate.axis}' is none of T, Z, Y, X")
    if coordinate.positive not in ("", "up", "down"):
        raise PinnlabError(f"{where}: positive '{coordinate.positive}' is neither up nor down")
    pressure = names.is_convertible(coordinate.units, "Pa")
    if coordinate.axis == "Z" and not coordinate.positive and not pressure:
        raise PinnlabError(f"{where}: a vertical axis needs positive='up' or positive='down'")
    if coordinate.positive and coordinate.axis != "Z":
        raise PinnlabError(f"{where}: positive belongs to a vertical axis; set axis='Z'")
    if not coordinate.standard_name:
        _set(coordinate, standard_name=_GLOBE.get(coordinate.units, ""))
    for right, standard_name in _GLOBE.items():
        if (coordinate.standard_name == standard_name) != (coordinate.units == right):
            raise PinnlabError(
                f"{where}: standard name '{standard_name}' and units '{right}' belong together, "
                f"got '{coordinate.standard_name}' in '{coordinate.units}'"
            )


def _check_flags(quantity: Quantity, where: str) -> None:
    flags = quantity.flags or {}
    bad = [m for m in flags if not isinstance(m, str) or not _MEANING.fullmatch(m)]
    if bad or len(flags) < 2 or len(set(flags.values())) < len(flags):
        raise PinnlabError(
            f"{where}: flags need two meanings or more, single words without blanks, each with "
            f"a value of its own; got {dict(flags)}"
        )
    values = quantity.values
    if values.dtype.kind not in "iu":
        raise PinnlabError(f"{where}: flags are integers, got values of type {values.dtype}")
    numbers = np.array(list(flags.values()))
    unknown = np.setdiff1d(values, numbers)
    limits = np.iinfo(values.dtype)
    if unknown.size or numbers.min() < limits.min or numbers.max() > limits.max:
        raise PinnlabError(
            f"{where}: flags {dict(flags)} do not explain the values {unknown.tolist()} "
            f"of type {values.dtype}"
        )
    if quantity.units not in ("", "1"):
        raise PinnlabError(f"{where}: a flag has no units, got '{quantity.units}'")


def _temperature(said: str, units: str, where: str) -> str:
    power = names.temperature_power(units)
    if said not in ("", "on_scale", "difference") or (said and not power):
        raise PinnlabError(
            f"{where}: temperature='{said}' does not fit units '{units}'; it is 'on_scale' or "
            "'difference' for a temperature, else empty"
        )
    pure = names.is_convertible(units, "K")
    if pure and not said:
        raise PinnlabError(
            f"{where}: units '{units}' need temperature='on_scale' or temperature='difference'"
        )
    return said or ("difference" if power else "")
