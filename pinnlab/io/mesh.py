"""Meshes in datasets: nodes, what connects them, and functions of many members on the nodes.

A dataset has one dimension of nodes, that of its coordinates: ``x(node)``, ``y(node)`` for one
mesh of all members, or ``x(instance, node)`` for a mesh of each, where missing values at the end
fill short ones up. Connections are optional and follow UGRID: a variable with the ``cf_role``
``face_node_connectivity``, ``volume_node_connectivity`` or ``edge_node_connectivity``, numbers of
nodes from its ``start_index`` (0). Reference: *UGRID conventions*, version 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pinnlab.core.cloud import Cloud, Recipe, stack
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.makecloud import make_cloud
from pinnlab.core.simplices import simplices
from pinnlab.core.units import convert

_CELLS = {1: "edge_node_connectivity", 2: "face_node_connectivity", 3: "volume_node_connectivity"}
_EDGES = "edge_node_connectivity"


@dataclass(frozen=True, eq=False)
class Mesh:
    """Nodes and what connects them, of one mesh or of many.

    Arguments:
        node: the dataset's dimension of nodes.
        member: its dimension of members, where each has a mesh of its own; else empty.
        points: (M, N, d) coordinates in the domain's units, M = 1 for one mesh; NaN fills up.
        cells: (M, F, k) nodes of each cell, or None; -1 fills up.
        edges: (M, E, 2) the same of edges.
        where: what errors name as the place.
    """

    node: str
    member: str
    points: np.ndarray
    cells: np.ndarray | None
    edges: np.ndarray | None
    where: str

    def cloud(self, domain: Domain, recipe: Recipe | None = None) -> Cloud:
        """The nodes with their neighbours; a stack of clouds where each member has its own.

        Cells give the weights. Edges, if the file has them, are the neighbours.
        """
        sizes = self.sizes
        recipe = recipe or Recipe()
        if self.member and recipe.coarse is None:
            least = int(sizes.min())
            recipe = replace(recipe, coarse=tuple(m for m in (least // 4, least // 16) if m))
        made = []
        for i, n in enumerate(sizes):
            cells, edges = (None if a is None else a[i] for a in (self.cells, self.edges))
            made.append(
                make_cloud(
                    domain,
                    self.points[i, :n],
                    recipe,
                    faces=None if cells is None else simplices(cells, len(domain.space)),
                    edges=None if edges is None else edges[(edges >= 0).all(axis=1)],
                )
            )
        return stack(made) if self.member else made[0]

    def values(self, ds: Any, name: str, units: str) -> np.ndarray:
        """(M, N) values of the variable *name* at the nodes in *units*, or (M,) numbers; 0 at
        nodes that fill up.

        The one further dimension counts the members; without it there is one member.

        Raises:
            PinnlabError: no such variable, other dimensions, a unit that does not convert, or
                values that are missing or not finite.
        """
        if name not in ds.data_vars:
            known = ", ".join(map(str, ds.data_vars))
            raise PinnlabError(f"{self.where}: there is no variable '{name}', but {known}")
        array = ds[name]
        rest = [dim for dim in array.dims if dim != self.node]
        if len(rest) > 1 or (self.member and rest != [self.member]):
            raise PinnlabError(
                f"{self.where}: '{name}' has the dimensions {', '.join(map(str, array.dims))}; "
                f"beside {self.node} one may count the members"
            )
        has = [self.node] if self.node in array.dims else []
        found = np.asarray(array.transpose(*rest, *has).values, float)
        found = found if rest else found[None]
        if has and self.member:
            found = found[:, : self.sizes.max()]  # as many as the stacked clouds have
            found = np.where(np.arange(found.shape[1]) < self.sizes[:, None], found, 0.0)
        if not np.isfinite(found).all():
            raise PinnlabError(
                f"{self.where}: '{name}' has {int((~np.isfinite(found)).sum())} values that are "
                "missing or not finite; fill or drop them"
            )
        own = str(array.attrs.get("units", units))
        return found * _factor(own, units, self.where, name) + convert(0.0, own, units, self.where)

    @property
    def sizes(self) -> np.ndarray:
        """(M,) numbers of nodes."""
        return np.isfinite(self.points).all(axis=-1).sum(axis=-1)


def read_mesh(ds: Any, domain: Domain, where: str) -> Mesh:
    """The mesh whose coordinates in *ds* are called as the space axes of *domain*.

    Raises:
        PinnlabError: coordinates that are missing, or do not share one dimension of nodes.
    """
    columns = []
    for axis in domain.space:
        if axis not in ds.variables:
            raise PinnlabError(
                f"{where}: there is no coordinate '{axis}'; a mesh needs {', '.join(domain.space)} "
                "of its nodes"
            )
        column = ds[axis]
        own = str(column.attrs.get("units", domain[axis].units))
        columns.append(column * _factor(own, domain[axis].units, where, axis))
    dims = columns[0].dims
    if len(dims) not in (1, 2) or any(set(c.dims) != set(dims) for c in columns):
        told = ", ".join(f"{a}({', '.join(c.dims)})" for a, c in zip(domain.space, columns))  # noqa: B905
        raise PinnlabError(f"{where}: {told} must share one dimension of nodes, or of members too")
    node = _node(ds, dims)
    member = "" if len(dims) == 1 else str(next(d for d in dims if d != node))
    order = [member, node] if member else [node]
    points = np.stack([np.asarray(c.transpose(*order).values, float) for c in columns], axis=-1)
    points = points if member else points[None]
    known = np.isfinite(points).all(axis=-1)
    if np.any(known[:, 1:] & ~known[:, :-1]):
        raise PinnlabError(f"{where}: nodes without coordinates must stand behind all others")
    count = len(points)
    cells = _connected(ds, _CELLS[len(domain.space)], member, count)
    edges = _connected(ds, _EDGES, member, count)
    return Mesh(node, member, points, cells, edges, where)


def has_mesh(ds: Any, axes: Iterable[str]) -> bool:
    """Whether the coordinates *axes* in *ds* are those of nodes, not of a grid."""
    own = {axis: ds[axis].dims for axis in axes if axis in ds.variables}
    alike = len({frozenset(dims) for dims in own.values()}) == 1
    return alike and any(axis not in dims for axis, dims in own.items())


def _node(ds: Any, dims: Sequence[str]) -> str:
    """Of two dimensions of coordinates the one that is called after nodes, or stands last."""
    named = [d for d in dims if "node" in str(d).lower()]
    return str(named[0] if len(named) == 1 else dims[-1])


def _connected(ds: Any, role: str, member: str, count: int) -> np.ndarray | None:
    """(M, n, k) numbers of nodes from 0, -1 where there is none."""
    named = [v for v in ds.variables if ds[v].attrs.get("cf_role") == role]
    if not named:
        return None
    array = ds[named[0]]
    if member in array.dims:
        array = array.transpose(member, ...)
    found = np.asarray(array.values, float) - float(array.attrs.get("start_index", 0))
    found = np.where(np.isfinite(found) & (found >= 0), found, -1).astype(np.int64)
    return found if found.ndim == 3 else np.broadcast_to(found, (count, *found.shape))


def _factor(own: str, units: str, where: str, name: str) -> float:
    told = f"{where}, '{name}'"
    return convert(1.0, own, units, told) - convert(0.0, own, units, told)
