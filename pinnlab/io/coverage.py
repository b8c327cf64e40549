"""Extents in space and time as ACDD attributes, from the coordinate values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from pinnlab.io import timeaxis
from pinnlab.io.schema import Coordinate, Site

_GLOBE = {"latitude": "lat", "longitude": "lon"}


def coverage_attributes(coordinates: Sequence[Coordinate], site: Site | None) -> dict[str, Any]:
    """``geospatial_*`` and ``time_coverage_*`` of ACDD-1.3; empty for a mathematical problem.

    Times are in the zone of the coordinate, with its offset.
    """
    made: dict[str, Any] = {}
    for c in coordinates:
        if c.epoch:
            made |= _time_extent(c)
        elif c.standard_name in _GLOBE:
            made |= _extent(f"geospatial_{_GLOBE[c.standard_name]}", c.values, c.units)
        elif c.axis == "Z":
            made |= _extent("geospatial_vertical", c.values, c.units)
            if c.positive:
                made["geospatial_vertical_positive"] = c.positive
    if site is not None:
        made |= _extent("geospatial_lat", np.array([site.latitude]), "degrees_north")
        made |= _extent("geospatial_lon", np.array([site.longitude]), "degrees_east")
        if site.name:
            made["site_name"] = site.name
    return made


def _extent(prefix: str, values: np.ndarray, units: str) -> dict[str, Any]:
    least, most = float(values.min()), float(values.max())
    return {f"{prefix}_min": least, f"{prefix}_max": most, f"{prefix}_units": units}


def _time_extent(c: Coordinate) -> dict[str, Any]:
    shown = timeaxis.dates(c.values, c.epoch, f"coordinate '{c.name}'")
    offset = datetime.fromisoformat(c.epoch).isoformat()[len("2014-07-01T00:00:00") :]
    ends = [np.datetime_as_string(d, unit="s") + offset for d in (shown.min(), shown.max())]
    return {"time_coverage_start": ends[0], "time_coverage_end": ends[1]}
