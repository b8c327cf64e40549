r"""Boundary conditions as the closure of a grid's operators.

On an axis with two ends the condition :math:`a\,u + b\,\partial u/\partial n = g` is one linear
equation for the value at the end node, with the derivative by the scheme's own one-sided row.
Both ends of a line are solved for together from the values between them, axis after axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.conditions import Boundary, Condition
from pinnlab.core.grid import Grid
from pinnlab.core.parameters import evaluate

_END = {"lower": 0, "upper": -1}


@dataclass(frozen=True)
class Side:
    """``a u + b du/dn = g`` for one variable at one end of an axis."""

    axis: str
    side: str
    a: Any
    b: Any
    g: Any


def sides(conditions: Iterable[Condition], name: str, grid: Grid) -> list[Side]:
    """The boundary conditions on variable *name*, in the order of the grid's axes."""
    found = [
        Side(c.axis, side, c.a, c.b, c.values[name])
        for c in conditions
        if isinstance(c, Boundary) and name in c.values
        for side in c.sides
    ]
    return sorted(found, key=lambda s: (grid.dim(s.axis), _END[s.side]))


def close(
    grid: Grid, conditions: Iterable[Condition], values: Mapping[str, Any], time: Any = None
) -> dict[str, Any]:
    """*values* with the end nodes that have a condition solved for; arrays of the grid's shape.

    End nodes without a condition stay as they are. *time* goes to conditions that depend on it.
    """
    conditions, closed = list(conditions), {}
    for name, array in values.items():
        here = sides(conditions, name, grid)
        for axis in dict.fromkeys(s.axis for s in here):
            array = _close_axis(grid, [s for s in here if s.axis == axis], array, time)
        closed[name] = array
    return closed


def close_rates(
    grid: Grid,
    conditions: Iterable[Condition],
    values: Mapping[str, Any],
    rates: Mapping[str, Any],
    time: Any,
) -> dict[str, Any]:
    """The rates at the end nodes that keep the conditions: the tangent of :func:`close`."""
    conditions = list(conditions)
    values = {name: values[name] for name in rates}
    if not rates:
        return {}
    time = jnp.asarray(time, jnp.result_type(*rates.values()))

    def closed(values: Mapping[str, Any], time: Any) -> dict[str, Any]:
        return close(grid, conditions, values, time)

    return jax.jvp(closed, (values, time), (dict(rates), jnp.ones_like(time)))[1]


def free(grid: Grid, conditions: Iterable[Condition], name: str) -> Any:
    """A mask of the grid's shape: False at the end nodes that :func:`close` overwrites."""
    mask = jnp.ones(grid.shape, bool)
    for s in sides(conditions, name, grid):
        mask = mask.at[_end(grid, s.axis, _END[s.side])].set(False)
    return mask


def _end(grid: Grid, axis: str, index: int) -> tuple[Any, ...]:
    return tuple(index if a == axis else slice(None) for a in grid.axes)


def _close_axis(grid: Grid, here: list[Side], array: Any, time: Any) -> Any:
    """Solve the one or two equations of every line along one axis."""
    axis = here[0].axis
    (span, scheme, n), dim = grid[axis], grid.dim(axis)
    ends = [_END[s.side] for s in here]
    slope = scheme.ends(span, n)
    bare = array
    for end in ends:
        bare = bare.at[_end(grid, axis, end)].set(0.0)
    rows = []
    for s, end in zip(here, ends, strict=True):
        a, b, g = (_on_side(grid, s, value, time, array) for value in (s.a, s.b, s.g))
        matrix = [a if end == other else jnp.zeros_like(a) for other in ends]
        if not (isinstance(s.b, (int, float)) and s.b == 0):
            outward = jnp.asarray(slope[end] * (-1.0 if end == 0 else 1.0), array.dtype)
            matrix = [m + b * outward[other] for m, other in zip(matrix, ends, strict=True)]
            g = g - b * jnp.tensordot(outward, bare, axes=(0, dim))
        rows.append((matrix, g))
    for end, value in zip(ends, _solve(rows), strict=True):
        array = array.at[_end(grid, axis, end)].set(value)
    return array


def _on_side(grid: Grid, s: Side, value: Any, time: Any, array: Any) -> Any:
    """A number, coefficient or function of the coordinates, on the lines that meet the side."""
    span, _, _ = grid[s.axis]
    dim = grid.dim(s.axis)
    x = {name: jnp.asarray(c, array.dtype) for name, c in grid.coordinates.items()}
    x[s.axis] = jnp.full_like(x[s.axis], getattr(span, s.side), shape=(1,) * array.ndim)
    if grid.domain.time is not None and time is not None:
        x[grid.domain.time] = time
    shape = [1 if d == dim else size for d, size in enumerate(array.shape)]
    given = jnp.asarray(evaluate(value, x), array.dtype)
    return jnp.squeeze(jnp.broadcast_to(given, shape), dim)


def _solve(rows: list[tuple[list[Any], Any]]) -> list[Any]:
    """One equation, or two by Cramer's rule, for arrays of lines."""
    if len(rows) == 1:
        ((a,), g) = rows[0]
        return [g / a]
    ((a, b), g), ((c, d), h) = rows
    determinant = a * d - b * c
    return [(g * d - b * h) / determinant, (a * h - g * c) / determinant]
