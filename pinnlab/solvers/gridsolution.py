"""The solution of a classical solver on a grid, asked anywhere like any other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core import stencils
from pinnlab.core.conditions import Initial
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.core.parameters import evaluate
from pinnlab.equations.base import Equation

_TIME_POINTS = 6  # of the polynomial between saved times; its error falls with their sixth power
_CHUNK = 2**22  # numbers that one chunk of scattered points may make


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class GridSolution:
    """Values on a grid at saved times.

    Arguments:
        grid: the grid; its domain gives the axes.
        times: (T,) increasing times, or None for a steady solution.
        values: for each variable (T, *shape), or (*shape) if steady.
        rates: for each variable of order 2 its rate, as *values*.
        facts: what the solver says of itself (steps, method), as pairs; see ``statistics``.
    """

    grid: Grid = field(metadata={"static": True})
    times: Any
    values: Mapping[str, Any]
    rates: Mapping[str, Any] = field(default_factory=dict)
    facts: tuple[tuple[str, Any], ...] = field(default=(), metadata={"static": True})

    @property
    def domain(self) -> Domain:
        """The axes with their units and metric."""
        return self.grid.domain

    @property
    def statistics(self) -> dict[str, Any]:
        """What the solver says of itself; counts are missing where the solve was traced."""
        return dict(self.facts)

    def __call__(self, name: str, **coords: Any) -> Any:
        """*name* at coordinates of every axis (scalars or arrays that broadcast).

        Space is interpolated as the grid's schemes do; time is exact at saved times and by a
        local polynomial of degree 5 between them.

        Raises:
            PinnlabError: an unknown name, a missing axis, or a time outside the saved ones.
        """
        values = self.values[choose("variable", name, self.values)]
        places = self._places(coords)
        arrays = [np.asarray(places[axis], float) for axis in self._axes]
        shape = np.broadcast_shapes(*(a.shape for a in map(np.asarray, places.values())))
        if _tensor(arrays):
            return self._on_tensor(values, arrays, shape)
        columns = [np.broadcast_to(a, shape).ravel() for a in arrays]
        return self._at_points(values, columns).reshape(shape)

    def on(self, coords: Mapping[str, Any]) -> dict[str, Any]:
        """All variables on the tensor product of (n,) arrays, one for each of the domain's axes."""
        axes = self.domain.axes
        laid = {
            axis: np.reshape(coords[axis], [-1 if a == axis else 1 for a in axes])
            for axis in self._places(coords)
        }
        return {name: self(name, **laid) for name in self.values}

    @property
    def _axes(self) -> tuple[str, ...]:
        """The axes of the dimensions of the values."""
        return self.grid.axes if self.times is None else (str(self.domain.time), *self.grid.axes)

    def _places(self, coords: Mapping[str, Any]) -> Mapping[str, Any]:
        for axis in coords:
            choose("axis", axis, self.domain.axes)
        missing = [a for a in self.domain.axes if a not in coords and a in self._axes]
        if missing:
            raise PinnlabError(f"the solution is asked without a coordinate of axis '{missing[0]}'")
        return coords

    def _matrix(self, axis: str, points: np.ndarray) -> np.ndarray:
        """The (m, n) interpolation matrix along one axis of the values."""
        if self.times is not None and axis == self.domain.time:
            return _in_time(np.asarray(self.times), points, axis)
        span, scheme, n = self.grid[axis]
        slack = 1e-9 * span.length
        outside = (points < span.lower - slack) | (points > span.upper + slack)
        if not span.periodic and np.any(outside):
            raise PinnlabError(
                f"the solution is asked at {axis}={points[outside][0]:g}, outside "
                f"[{span.lower:g}, {span.upper:g}] {span.units}"
            )
        return scheme.interpolate(span, n, points)

    def _on_tensor(self, values: Any, arrays: list[np.ndarray], shape: tuple[int, ...]) -> Any:
        xp, values = _module(values)
        for dim, (axis, array) in enumerate(zip(self._axes, arrays, strict=True)):
            matrix = xp.asarray(self._matrix(axis, array.ravel()), values.dtype)
            values = xp.moveaxis(xp.tensordot(matrix, values, axes=(1, dim)), 0, dim)
        # Each array varies along one dimension of the answer at most: put them in that order.
        along = [int(np.argmax(a.shape)) - a.ndim if a.size > 1 else 0 for a in arrays]
        varying = sorted(
            (d for d in range(len(arrays)) if arrays[d].size > 1), key=along.__getitem__
        )
        rest = [d for d in range(len(arrays)) if arrays[d].size == 1]
        sizes = [1] * len(shape)
        for d in varying:
            sizes[along[d]] = arrays[d].size
        return xp.broadcast_to(xp.transpose(values, rest + varying).reshape(sizes), shape)

    def _at_points(self, values: Any, columns: list[np.ndarray]) -> Any:
        xp, values = _module(values)
        rows = max(1, _CHUNK // max(1, int(np.prod(values.shape[1:]))))
        parts = []
        for start in range(0, len(columns[0]), rows):
            here = [column[start : start + rows] for column in columns]
            part = None
            for axis, points in zip(self._axes, here, strict=True):
                matrix = xp.asarray(self._matrix(axis, points), values.dtype)
                if part is None:
                    part = xp.tensordot(matrix, values, axes=1)
                else:
                    part = xp.einsum("mn...,mn->m...", part, matrix)
            parts.append(part)
        return xp.concatenate(parts)


def solution(
    grid: Grid,
    times: Any,
    values: Mapping[str, Any],
    rates: Mapping[str, Any] | None = None,
    statistics: Mapping[str, Any] | None = None,
) -> GridSolution:
    """A :class:`GridSolution`; concrete arrays are brought to NumPy in the precision they have,
    so that it can be asked outside the precision that it was made in."""
    known = {"values": dict(values), "rates": dict(rates or {}), "times": times}
    known = jax.tree.map(lambda a: a if isinstance(a, jax.core.Tracer) else np.asarray(a), known)
    points = math.prod(grid.shape)
    said = {**(statistics or {}), "points": points}
    facts = [(k, _plain(v)) for k, v in said.items() if not isinstance(v, jax.core.Tracer)]
    return GridSolution(grid, facts=tuple(facts), **known)


def started(answered: Any, equation: Equation, coords: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """All variables of a solution on a tensor product, at the start of time as the equation gives
    them: an interpolant has lost the kinks of initial values, which are known."""
    found = {name: np.asarray(v) for name, v in answered.on(coords).items()}
    time = equation.domain.time
    if time is None:
        return found
    first = np.isclose(coords[time], equation.domain[time].lower, rtol=0, atol=0)
    if not np.any(first):
        return found
    axes = equation.domain.axes
    lay = {a: np.reshape(coords[a], [-1 if a == b else 1 for b in axes]) for a in axes}
    dim = axes.index(time)
    for c in equation.conditions():
        if isinstance(c, Initial) and not c.order:
            for name, given in c.values.items():
                begun = np.asarray(evaluate(given, {a: jnp.asarray(x) for a, x in lay.items()}))
                begun = np.broadcast_to(begun, found[name].shape)
                mask = np.reshape(first, [-1 if i == dim else 1 for i in range(len(axes))])
                found[name] = np.where(mask, begun, found[name])
    return found


def _plain(value: Any) -> Any:
    """A concrete array of one number as that number; a whole one as an integer."""
    if not isinstance(value, (jax.Array, np.ndarray)):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number


def _module(values: Any) -> tuple[Any, Any]:
    return (jnp, values) if isinstance(values, jax.core.Tracer) else (np, np.asarray(values))


def _tensor(arrays: list[np.ndarray]) -> bool:
    """Whether each array varies along one dimension at most, and no two along the same."""
    along = []
    for array in arrays:
        varying = [d - array.ndim for d, size in enumerate(array.shape) if size > 1]
        if len(varying) > 1:
            return False
        along += varying
    return len(set(along)) == len(along)


def _in_time(times: np.ndarray, points: np.ndarray, axis: str) -> np.ndarray:
    """The (m, T) matrix of local polynomial interpolation between saved times."""
    slack = 1e-9 * max(times[-1] - times[0], abs(times[-1]))
    outside = (points < times[0] - slack) | (points > times[-1] + slack)
    if np.any(outside):
        raise PinnlabError(
            f"the solution is asked at {axis}={points[outside][0]:g}, but its times run from "
            f"{times[0]:g} to {times[-1]:g}"
        )
    count = min(_TIME_POINTS, len(times))
    after = np.searchsorted(times, points)
    first = np.clip(after - count // 2, 0, len(times) - count)
    columns = first[:, None] + np.arange(count)
    matrix = np.zeros((len(points), len(times)))
    np.put_along_axis(matrix, columns, stencils.lagrange(times[columns], points), axis=1)
    return matrix
