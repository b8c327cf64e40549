"""Calendar time: seconds since an epoch as dates in the epoch's own zone.

xarray, pandas and most readers know no zones, and those that do disagree on offsets in the units.
So the dates are written as clocks at the site show them (standard time all the year), without an
offset, and the zone is said in the variable's attributes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError

_EARLIEST = np.datetime64("1678-01-01", "us")  # the years that datetime64[ns] holds
_LATEST = np.datetime64("2262-01-01", "us")
_STEPS = (("seconds", 1_000_000), ("milliseconds", 1_000), ("microseconds", 1))


def check_epoch(epoch: str, where: str) -> datetime:
    """Read an epoch: whole seconds, with an offset from UTC."""
    try:
        start = datetime.fromisoformat(epoch)
    except (TypeError, ValueError):
        start = None
    if start is None or start.tzinfo is None or start.microsecond:
        raise PinnlabError(
            f"{where}: epoch {epoch!r} must be ISO 8601 in whole seconds with an offset from "
            "UTC, such as '2014-07-01T00:00:00-08:00' or '2014-07-01T00:00:00Z'"
        )
    return start


def zone(epoch: str) -> str:
    """The epoch's zone as people write it: ``UTC`` or ``UTC-08:00``."""
    offset = datetime.fromisoformat(epoch).utcoffset() or timedelta(0)
    minutes = round(offset.total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{_clock(minutes)}" if minutes else "UTC"


def _clock(minutes: int) -> str:
    return f"{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def dates(seconds: np.ndarray, epoch: str, where: str) -> np.ndarray:
    """Seconds since *epoch* as datetime64[ns] in its zone, to a microsecond."""
    start = np.datetime64(datetime.fromisoformat(epoch).replace(tzinfo=None), "us")
    limits = (np.array([_EARLIEST, _LATEST]) - start) / np.timedelta64(1, "s")
    if seconds.min() < limits[0] or seconds.max() > limits[1]:
        raise PinnlabError(
            f"{where}: dates must lie between the years 1678 and 2262; use model time without "
            "an epoch for anything longer"
        )
    return (start + _microseconds(seconds).astype("timedelta64[us]")).astype("datetime64[ns]")


def encoding(seconds: list[np.ndarray], epoch: str) -> dict[str, Any]:
    """Encoding in whole steps of the coarsest unit that loses nothing, one for all arrays."""
    start = datetime.fromisoformat(epoch)
    ticks = np.concatenate([_microseconds(s).ravel() for s in seconds])
    unit = next(name for name, step in _STEPS if not np.any(ticks % step))
    return {
        "units": f"{unit} since {start.replace(tzinfo=None).isoformat(sep=' ')}",
        "calendar": "standard",
        "dtype": np.dtype(np.int64),
        "_FillValue": None,
    }


def _microseconds(seconds: np.ndarray) -> np.ndarray:
    if seconds.dtype.kind in "iu":
        return seconds.astype(np.int64) * 1_000_000
    return np.rint(seconds.astype(np.float64) * 1e6).astype(np.int64)
