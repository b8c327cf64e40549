"""Datasets on meshes: what is written is read back, and errors are in the quadrature."""

import numpy as np
import pytest
import xarray as xr

from pinnlab.core import Axis, Domain
from pinnlab.core.cloud import Recipe
from pinnlab.io import Coordinate, Quantity, build_dataset, read_dataset, write_netcdf, write_zarr
from pinnlab.io.mesh import Mesh, read_mesh
from pinnlab.io.ugrid import NODE, MeshNodes

DOMAIN = Domain(x=Axis(0, 2, "m"), y=Axis(0, 2, "m"))
SQUARE = np.array([[[0.0, 0], [1, 0], [1, 1], [0, 1], [2, 0]]])
CELLS = np.array([[[0, 1, 2, 3], [1, 4, 2, -1]]])  # a square and a triangle
TRIANGLES = np.array([[[0, 1, 3], [1, 2, 3], [1, 4, 2]]])
EDGES = np.array([[[0, 1], [1, 2], [2, 3], [3, 0], [1, 4], [4, 2]]])


def nodes(cells=CELLS, edges=EDGES, member=""):
    mesh = Mesh("place", member, SQUARE, cells, edges, "here")
    weights = mesh.cloud(DOMAIN, Recipe(2, coarse=())).weights
    return MeshNodes(mesh, DOMAIN, weights)


def plain(members=2):
    """A dataset that knows of no mesh."""
    numbers = {"instance": members, NODE: 5}
    values = np.arange(5.0 * members).reshape(members, 5)
    return build_dataset(
        [Coordinate(name, np.arange(n), "1", name) for name, n in numbers.items()],
        [Quantity("u", ("instance", NODE), values, "m", "height")],
        {"title": "it", "history": "now"},
    )


def same(one, two):
    assert (one is None) == (two is None)
    assert one is None or np.array_equal(one, two)


@pytest.mark.parametrize("cells", [CELLS, TRIANGLES, None])
@pytest.mark.parametrize("edges", [EDGES, None])
@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_a_mesh_is_read_as_it_was_written(cells, edges, kind, tmp_path):
    given = nodes(cells, edges)
    made, path = given.onto(plain(), "instance"), tmp_path / f"made.{kind}"
    (write_netcdf if kind == "nc" else write_zarr)(made, path)
    again = read_dataset(path)
    xr.testing.assert_identical(again, made)
    mesh = read_mesh(again, DOMAIN, "file")
    np.testing.assert_array_equal(mesh.points, SQUARE)
    same(mesh.cells, cells)
    same(mesh.edges, edges)
    assert NODE not in made.variables and made.x.attrs["units"] == "m"
    assert ("mesh" in made) == (cells is not None or edges is not None)


def test_the_topology_follows_ugrid():
    made = nodes().onto(plain(), "instance")
    told = made.mesh.attrs
    assert told["cf_role"] == "mesh_topology" and told["topology_dimension"] == 2
    assert told["node_coordinates"] == "x y"
    for kind in ("face", "edge"):
        role = f"{kind}_node_connectivity"
        assert made[told[role]].attrs["cf_role"] == role
    assert made.u.attrs["mesh"] == "mesh" and made.u.attrs["location"] == "node"
    only = nodes(None).onto(plain(), "instance").mesh.attrs
    assert only["topology_dimension"] == 1 and "face_node_connectivity" not in only


def test_connections_of_many_meshes_have_no_topology():
    points = np.concatenate([SQUARE, SQUARE])
    points[1, 4] = np.nan
    cells = np.concatenate([CELLS, np.where(CELLS == 4, -1, CELLS)])
    mesh = Mesh("place", "case", points, cells, None, "here")
    given = MeshNodes(mesh, DOMAIN, mesh.cloud(DOMAIN, Recipe(2, coarse=())).weights)
    made = given.onto(plain(), "instance")
    assert "mesh" not in made and made.mesh_face_nodes.dims == ("instance", "face", "corner")
    assert made.x.dims == ("instance", NODE)
    np.testing.assert_array_equal(np.isnan(made.u), [[False] * 5, [False] * 4 + [True]])


@pytest.mark.parametrize("middle", [(), (3,)])
def test_errors_are_relative_in_the_quadrature(middle):
    given, random = nodes(), np.random.default_rng(0)
    truth, found = random.normal(size=(2, 2, *middle, 5))
    # the square is cut at the nodes 0 and 2, the triangle has the area 1/2
    weights = np.array([1 / 3, 1 / 3, 1 / 2, 1 / 6, 1 / 6])
    np.testing.assert_allclose(given.weights, weights)
    axes = tuple(range(1, truth.ndim))
    square = (weights * (found - truth) ** 2).sum(axes) / (weights * truth**2).sum(axes)
    np.testing.assert_allclose(given.relative_l2(found, truth), np.sqrt(square))
