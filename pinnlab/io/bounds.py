"""Cell bounds of a coordinate (CF section 7.1)."""

from __future__ import annotations

import numpy as np

from pinnlab.core.errors import PinnlabError


def midpoint_bounds(
    values: np.ndarray, lower: float | None = None, upper: float | None = None
) -> np.ndarray:
    """Bounds that meet half way between neighbouring values, shape (n, 2).

    Row i is (edge i, edge i+1) in the direction of *values*, so neighbouring cells share an edge
    exactly. The outer edges are *lower* and *upper*, where given (the ends of the domain), else
    they mirror the nearest inner edge.

    Raises:
        PinnlabError: if *values* are not one-dimensional and strictly monotonic, if a given end
            lies inside of them, or if a single value comes without both ends.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1 or v.size == 0 or not is_monotonic(v):
        raise PinnlabError("midpoint_bounds: needs one-dimensional, strictly monotonic values")
    if v.size == 1 and (lower is None or upper is None):
        raise PinnlabError("midpoint_bounds: a single value needs both 'lower' and 'upper'")
    sign = 1 if v[-1] >= v[0] else -1
    first, last = (lower, upper) if sign > 0 else (upper, lower)
    inner = 0.5 * (v[:-1] + v[1:])
    start = 2 * v[0] - inner[0] if first is None else float(first)
    end = 2 * v[-1] - inner[-1] if last is None else float(last)
    if sign * (v[0] - start) < 0 or sign * (end - v[-1]) < 0:
        raise PinnlabError(
            f"midpoint_bounds: values reach from {v.min()} to {v.max()}, "
            f"outside of lower={lower} and upper={upper}"
        )
    edges = np.concatenate([[start], inner, [end]])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def is_monotonic(values: np.ndarray) -> bool:
    """Whether finite *values* strictly rise or strictly fall."""
    step = np.diff(values)
    return bool(np.all(np.isfinite(values)) and (np.all(step > 0) or np.all(step < 0)))
