"""Sampled: a coefficient that is known by its values at the nodes of a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.domain import Axis
from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import FiniteDifference, Fourier, Grid
from pinnlab.core.harmonics import Harmonics
from pinnlab.core.latitudes import GaussianLatitudes
from pinnlab.core.metric import Sphere

_NEAREST = 8  # nodes of the polynomial between those of a spectral axis


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sampled:
    """A function of the coordinates given by values on a grid; what an operator reads.

    Arguments:
        grid: the nodes (static); axes that it does not have do not matter to the function.
        values: the leaf, of the grid's shape.
    """

    grid: Grid = field(metadata={"static": True})
    values: Any

    def on(self, places: Mapping[str, np.ndarray]) -> Any:
        """Values on the tensor product of the (n,) nodes of every axis in *places*, known
        beforehand: as the grid's schemes interpolate (on Gaussian latitudes and longitudes by
        spherical harmonics), and exact where the nodes are its own.

        Axes that the function does not depend on have size one in the answer.
        """
        made, nodes = jnp.asarray(self.values), self.grid.nodes
        new = {a for a in nodes if not np.array_equal(np.asarray(places[a], float), nodes[a])}
        if new and is_globe(self.grid):
            made, new = self._around(made, places), new - set(self.grid.axes[-2:])
        for dim, (name, scheme, n) in enumerate(self.grid.items):
            if name in new:
                points = np.asarray(places[name], float)
                matrix = scheme.interpolate(self.grid.domain[name], n, points)
                made = jnp.tensordot(jnp.asarray(matrix, made.dtype), made, axes=(1, dim))
                made = jnp.moveaxis(made, 0, dim)
        own = self.grid.axes
        order = [own.index(name) for name in places if name in own]
        sizes = [len(points) if name in own else 1 for name, points in places.items()]
        return made.transpose(order).reshape(sizes)

    def _around(self, values: Any, places: Mapping[str, np.ndarray]) -> Any:
        """(..., n_lat, n_lon) values on other latitudes and longitudes, by harmonics of the
        highest degree that the grid resolves."""
        (lat, _, n_lat), (lon, _, n_lon) = self.grid.items[-2:]
        harmonics = Harmonics(n_lat, n_lon, min(n_lat - 1, (n_lon - 1) // 2))
        east = np.asarray(places[lon], float) - self.grid.domain[lon].lower
        return harmonics.evaluate(harmonics.analysis(values), np.asarray(places[lat], float), east)

    def at(self, x: Mapping[str, Any]) -> Any:
        """The value at coordinates *x*: a point, or arrays that vary along one dimension each.

        Trigonometric between the nodes of a periodic axis, a polynomial of the nearest nodes on
        others: of the order of :meth:`on`.

        Raises:
            PinnlabError: arrays that are no tensor product of points.
        """
        arrays = [jnp.asarray(x[name]) for name in self.grid.axes]
        made = jnp.asarray(self.values, jnp.result_type(*arrays))
        for dim, (array, (name, scheme, n)) in enumerate(zip(arrays, self.grid.items, strict=True)):
            axis = self.grid.domain[name]
            count = scheme.accuracy + 2 if isinstance(scheme, FiniteDifference) else _NEAREST
            matrix = _between(axis, scheme.nodes(axis, n), array.reshape(-1), min(count, n))
            made = jnp.moveaxis(jnp.tensordot(matrix, made, axes=(1, dim)), 0, dim)
        return _laid(made, [array.shape for array in arrays])


def is_globe(grid: Grid) -> bool:
    """Whether the last two axes are Gaussian latitudes and the longitudes of a sphere."""
    kinds = [type(scheme) for _, scheme, _ in grid.items[-2:]]
    return isinstance(grid.domain.metric, Sphere) and kinds == [GaussianLatitudes, Fourier]


def _between(axis: Axis, nodes: np.ndarray, points: Any, count: int) -> Any:
    """The (m, n) matrix from values at the nodes to those at *points*, which may be traced; by
    *count* nodes where the axis has ends."""
    n, here = len(nodes), jnp.asarray(nodes, points.dtype)
    if not axis.periodic:
        return _local(here, points, count)
    # by the waves' own cosines and sines, whose derivatives are exact
    waves = np.arange(n // 2 + 1)
    unit = 2.0 * np.pi * np.outer(waves, np.arange(n)) / n
    share = np.where((waves == 0) | (2 * waves == n), 1.0, 2.0)[:, None] / n
    share_of_turn = (2.0 * np.pi / axis.length) * (points - here[0])
    turn = jnp.outer(share_of_turn, jnp.asarray(waves, points.dtype))
    cosines = jnp.cos(turn) @ jnp.asarray(share * np.cos(unit), points.dtype)
    return cosines + jnp.sin(turn) @ jnp.asarray(share * np.sin(unit), points.dtype)


def _local(nodes: Any, points: Any, count: int) -> Any:
    """Lagrange's polynomials of the *count* nodes around each of the points, as a matrix."""
    first = jnp.clip(jnp.searchsorted(nodes, points) - count // 2, 0, len(nodes) - count)
    columns = first[:, None] + jnp.arange(count, dtype=first.dtype)[None]
    near = nodes[columns]
    own = np.eye(count, dtype=bool)[None]
    above = jnp.where(own, 1.0, (points[:, None] - near)[:, None, :])
    below = jnp.where(own, 1.0, near[:, :, None] - near[:, None, :])
    weights = jnp.prod(above / below, axis=2)
    matrix = jnp.zeros((len(points), len(nodes)), points.dtype)
    return matrix.at[jnp.arange(len(points))[:, None], columns].set(weights)


def _laid(values: Any, shapes: list[tuple[int, ...]]) -> Any:
    """(m_1, m_2, ...) values in the shape that coordinates of these shapes broadcast to."""
    shape = np.broadcast_shapes(*shapes)
    places = []
    for own in shapes:
        varying = [i - len(own) + len(shape) for i, size in enumerate(own) if size > 1]
        if len(varying) > 1:
            raise PinnlabError("a sampled coefficient is asked at points or on tensor products")
        places.append(varying[0] if varying else -1)
    moving = [dim for dim in np.argsort(places) if places[dim] >= 0]
    if len({places[dim] for dim in moving}) < len(moving):
        raise PinnlabError("a sampled coefficient is asked at points or on tensor products")
    still = [dim for dim in range(len(shapes)) if places[dim] < 0]
    sizes = [1] * len(shape)
    for dim in moving:
        sizes[places[dim]] = values.shape[dim]
    return values.transpose(still + moving).reshape(sizes)
