"""Values at the nodes of a mesh in a dataset: where the nodes are and, after UGRID, what connects
them. :mod:`pinnlab.io.mesh` reads it back.

Reference: *CF conventions* 1.11, section 5.9, which takes mesh topologies from UGRID 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from pinnlab.core.domain import Domain
from pinnlab.core.scores import relative_l2
from pinnlab.io.mesh import Mesh

NODE = "node"  # the dimension
_TOPOLOGY = "mesh"
_CELL = {1: "edge", 2: "face", 3: "volume"}
_CORNERS = {"edge": "end", "face": "corner", "volume": "corner"}
_PACKED = {"zlib": True, "complevel": 4, "shuffle": True}


@dataclass(frozen=True, eq=False)
class MeshNodes:
    """The place of values (M, ..., nodes) of M members.

    Arguments:
        mesh: of all members, or of each.
        domain: whose space axes the coordinates are.
        weights: (nodes,) or (M, nodes) of a quadrature; 0 for nodes that only fill up.
    """

    mesh: Mesh
    domain: Domain
    weights: np.ndarray

    def relative_l2(self, values: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """(M,) relative L2 errors in the quadrature, over all that stands between."""
        found, true = (np.asarray(a, float) for a in (values, truth))
        middle = (1,) * (found.ndim - 2)
        root = np.sqrt(self.weights)
        root = root.reshape(*root.shape[:-1], *middle, root.shape[-1])
        return relative_l2(found * root, true * root)

    def onto(self, ds: xr.Dataset, member: str) -> xr.Dataset:
        """*ds* with the coordinates of its dimension ``node`` and the connections; values at nodes
        that fill up are missing.

        Arguments:
            member: the dimension that counts the members.
        """
        made = ds.drop_vars(NODE)
        if self.mesh.member:
            known = xr.DataArray(self._points[..., 0] == self._points[..., 0], dims=(member, NODE))
            made = made.assign({n: _masked(made[n], known) for n in made if NODE in made[n].dims})
        where = (member, NODE) if self.mesh.member else (NODE,)
        points = self._points if self.mesh.member else self._points[0]
        columns = {
            name: xr.Variable(where, points[..., i], self._told(name), dict(_PACKED))
            for i, name in enumerate(self.domain.space)
        }
        made = made.assign_coords(columns)
        return self._connected(made, member)

    @property
    def _points(self) -> np.ndarray:
        return self.mesh.points[:, : self.weights.shape[-1]]

    def _told(self, name: str) -> dict[str, Any]:
        axis = self.domain[name]
        told = {"long_name": axis.long_name or name, "units": axis.units}
        more = {"standard_name": axis.standard_name} if axis.standard_name else {}
        return {**told, **more, "coverage_content_type": "coordinate"}

    def _connected(self, ds: xr.Dataset, member: str) -> xr.Dataset:
        """UGRID knows one mesh; connections of many have its attributes, but no topology."""
        space = len(self.domain.space)
        given = {_CELL[space]: self.mesh.cells, "edge": self.mesh.edges}
        made = {kind: numbers for kind, numbers in given.items() if numbers is not None}
        if not made:
            return ds
        names = {kind: f"{_TOPOLOGY}_{kind}_nodes" for kind in made}
        for kind, numbers in made.items():
            ds = ds.assign({names[kind]: self._numbers(kind, numbers, member)})
        if self.mesh.member:
            return ds
        kept = {"mesh": _TOPOLOGY, "location": "node"}
        ds = ds.assign({n: ds[n].assign_attrs(kept) for n in ds if NODE in ds[n].dims})
        told = {
            "cf_role": "mesh_topology",
            "long_name": "topology of the mesh",
            "topology_dimension": np.int32(space if _CELL[space] in made else 1),
            "node_coordinates": " ".join(self.domain.space),
            **{f"{kind}_node_connectivity": name for kind, name in names.items()},
            "coverage_content_type": "auxiliaryInformation",
        }
        ds[_TOPOLOGY] = xr.Variable((), np.int32(0), told)
        return ds

    def _numbers(self, kind: str, numbers: np.ndarray, member: str) -> xr.Variable:
        """Filled up with missing values, which the file has as -1."""
        numbers = numbers if self.mesh.member else numbers[0]
        dims = (member,) if self.mesh.member else ()
        told = {
            "cf_role": f"{kind}_node_connectivity",
            "long_name": f"nodes of each {kind}",
            "start_index": np.int32(0),
            "coverage_content_type": "auxiliaryInformation",
        }
        values: np.ndarray = numbers.astype(np.int32)
        encoding: dict[str, Any] = {**_PACKED, "_FillValue": None}
        if (numbers < 0).any():
            values = np.where(numbers < 0, np.nan, numbers)
            encoding |= {"dtype": "int32", "_FillValue": -1}
        return xr.Variable((*dims, kind, _CORNERS[kind]), values, told, encoding)


def _masked(array: xr.DataArray, known: xr.DataArray) -> xr.DataArray:
    made = array.where(known).transpose(*array.dims).astype(array.dtype)
    made.encoding = array.encoding
    return made
