"""What files may be called inside: names, units and attribute values that every reader accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pinnlab.core import units as _units
from pinnlab.core.errors import PinnlabError

CONVENTIONS = "CF-1.11, ACDD-1.3"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FACTOR = r"[^\s./*^]+((\^|\*\*)[+-]?\d+)?"
_PRODUCT = re.compile(rf"{_FACTOR}(([./*]|\s+){_FACTOR})*")
# xarray turns data whose units are exactly one of these words into timedelta64; the symbol, which
# UDUNITS reads as the same unit, leaves them numbers.
_INTERVALS = {
    "days": "d",
    "hours": "h",
    "minutes": "min",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
}
# The first moves to the variables on reading; the rest are how HDF5 marks dimensions.
_RESERVED = ("coordinates", "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST")
_INT64 = np.iinfo(np.int64)


def check_name(name: str, what: str) -> None:
    """Raise unless *name* is a letter followed by letters, digits and underscores (CF 2.3)."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PinnlabError(
            f"{what} name {name!r} is not possible in a CF file: use a letter, then letters, "
            "digits and underscores, such as 'soil_temperature'"
        )


def check_units(text: str, where: str) -> str:
    """Return units that UDUNITS and xarray read alike, or raise naming *where*."""
    if not isinstance(text, str) or not text.strip():
        raise PinnlabError(f"{where}: units are missing; write '1' if it has no dimension")
    text = _INTERVALS.get(text.strip(), text.strip())
    # UDUNITS takes no blank around a point, and reads "per" behind a blank as a division.
    text = re.sub(r"\s*([./*])\s*", r"\1", text.replace("percent", "%"))
    if not _PRODUCT.fullmatch(text):
        raise PinnlabError(f"{where}: units '{text}' are no product such as 'W m-2 K-1' or 'm2/s'")
    try:
        _units.parse(text)
    except PinnlabError as error:
        raise PinnlabError(f"{where}: {error}") from None
    return text


def temperature_power(units: str) -> int:
    """The power of temperature in *units*: 1 for ``K``, -1 for ``W m-2 K-1``, 0 for ``m``."""
    kelvin = _units.parse("K").exponents.index(1)
    return _units.parse(units).exponents[kelvin]


def is_convertible(units: str, other: str) -> bool:
    """Whether both measure the same kind of quantity (``hPa`` and ``Pa``)."""
    return _units.parse(units).exponents == _units.parse(other).exponents


def clean_attributes(attributes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return *attributes* in the few types that netCDF and Zarr both give back unchanged.

    These are text, int, float and one-dimensional int64 or float64 arrays of two values or more.
    Truth values become 0 or 1, a sequence of one number becomes that number.

    Raises:
        PinnlabError: for a nested mapping, ``None``, an empty or mixed sequence, text with a NUL
            character, an integer beyond 64 bits, or a name that CF or the file format forbids.
    """
    return {name: _clean(name, value, where) for name, value in attributes.items()}


def _clean(name: str, value: Any, where: str) -> Any:
    check_name(name, f"{where}: attribute")
    label = f"{where}, attribute '{name}'"
    if name in _RESERVED:
        raise PinnlabError(f"{label}: this name belongs to the file format; choose another")
    if isinstance(value, Mapping):
        raise PinnlabError(f"{label}: a file cannot nest attributes; give each entry its own name")
    if isinstance(value, str):
        return _text(value, label)
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return _number(value, label)
    if isinstance(value, (list, tuple, np.ndarray)):
        return _numbers(value, label)
    raise PinnlabError(
        f"{label}: {type(value).__name__} cannot be stored; give text, a number or a list of "
        "numbers, and leave out what is unknown"
    )


def _text(value: str, label: str) -> str:
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise PinnlabError(f"{label}: the text holds a character that no file can store")
    return str(value)


def _number(value: Any, label: str) -> int | float:
    if isinstance(value, (float, np.floating)):
        return float(value)
    if not _INT64.min <= int(value) <= _INT64.max:
        raise PinnlabError(f"{label}: {value} does not fit into 64 bits; store it as text")
    return int(value)


def _numbers(values: Any, label: str) -> Any:
    array = np.asarray(values)
    if array.ndim > 1 or array.size == 0 or array.dtype.kind not in "biuf":
        raise PinnlabError(f"{label}: expected text, a number or a list of numbers, got {values!r}")
    if array.size == 1:
        return _number(array.reshape(-1)[0], label)
    if array.dtype.kind == "u" and array.max() > _INT64.max:
        raise PinnlabError(f"{label}: {array.max()} does not fit into 64 bits; store it as text")
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
