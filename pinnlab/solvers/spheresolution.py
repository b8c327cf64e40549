"""The solution of a spectral solver on the sphere, asked anywhere, the poles included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.latitudes import sphere_of
from pinnlab.core.spherefield import harmonics_of
from pinnlab.solvers.gridsolution import GridSolution, _module, solution

_CHUNK = 2**22  # numbers that one chunk of scattered points may make


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SphereSolution(GridSolution):
    """Values on a grid of latitude and longitude at saved times, interpolated by their harmonics.

    Arguments:
        degree: of the harmonics that the values hold.
    """

    degree: int = field(default=-1, metadata={"static": True})

    def _matrix(self, axis: str, points: np.ndarray) -> np.ndarray:
        """Along the sphere's axes the values are those at the points already."""
        if axis == self.domain.time:
            return super()._matrix(axis, points)
        self._check(axis, points)
        return np.eye(len(points))

    def _check(self, axis: str, points: np.ndarray) -> None:
        outside = np.abs(points) > 90.0 * (1.0 + 1e-9)
        if not self.domain[axis].periodic and np.any(outside):
            raise PinnlabError(
                f"the solution is asked at {axis}={points[outside][0]:g}, beyond a pole"
            )

    def _on_tensor(self, values: Any, arrays: list[np.ndarray], shape: tuple[int, ...]) -> Any:
        _, values = _module(values)
        harmonics = harmonics_of(self.grid, self.degree)
        lat, lon = (arrays[self._axes.index(a)].ravel() for a in self._globe)
        fine = harmonics.evaluate(harmonics.analysis(values), lat, self._from_zero(lon))
        return super()._on_tensor(fine, arrays, shape)

    def _at_points(self, values: Any, columns: list[np.ndarray]) -> Any:
        xp, values = _module(values)
        harmonics = harmonics_of(self.grid, self.degree)
        coefficients = harmonics.analysis(values)
        rows, parts = max(1, _CHUNK // coefficients[0].size), []
        for start in range(0, len(columns[0]), rows):
            time, lat, lon = (column[start : start + rows] for column in columns)
            self._check(self._globe[0], lat)
            here = harmonics.scattered(coefficients, lat, self._from_zero(lon))
            matrix = xp.asarray(super()._matrix(self._axes[0], time), values.dtype)
            parts.append(xp.einsum("nt,tn->n", matrix, here))
        return xp.concatenate(parts)

    @property
    def _globe(self) -> tuple[str, str]:
        metric = sphere_of(self.domain)
        return metric.lat, metric.lon

    def _from_zero(self, longitude: np.ndarray) -> np.ndarray:
        return longitude - self.domain[self._globe[1]].lower


def sphere_solution(
    grid: Grid, degree: int, times: Any, values: Mapping[str, Any], statistics: Mapping[str, Any]
) -> SphereSolution:
    """A :class:`SphereSolution`, as :func:`~pinnlab.solvers.gridsolution.solution` makes one."""
    made = solution(grid, times, values, statistics=statistics)
    return SphereSolution(grid, made.times, made.values, facts=made.facts, degree=degree)
