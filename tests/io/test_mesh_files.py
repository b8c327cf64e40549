"""Meshes from datasets: shared or of each member, connections, units, and what is refused."""

import numpy as np
import pytest
import xarray as xr

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.cloud import Recipe
from pinnlab.core.simplices import simplices
from pinnlab.io.mesh import has_mesh, read_mesh

DOMAIN = Domain(x=Axis(0, 2, "m"), y=Axis(0, 2, "m"))
RECIPE = Recipe(neighbours=2, coarse=())
SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [2, 0]])


def shared(cells=((1, 2, 3, 4), (2, 5, 3, -1))):
    """A square and a triangle, counted from 1, in centimetres."""
    return xr.Dataset(
        {
            "u": (("node", "case"), np.arange(10.0).reshape(5, 2), {"units": "cm"}),
            "faces": (
                ("face", "corner"),
                np.array(cells),
                {"cf_role": "face_node_connectivity", "start_index": 1},
            ),
        },
        {a: ("node", 100 * SQUARE[:, i], {"units": "cm"}) for i, a in enumerate("xy")},
    )


def test_one_mesh_of_all_members():
    ds = shared()
    mesh = read_mesh(ds, DOMAIN, "file")
    cloud = mesh.cloud(DOMAIN, RECIPE)
    np.testing.assert_allclose(cloud.points, SQUARE)
    # the square of area 1 is cut at the nodes 0 and 2, the triangle has the area 1/2
    np.testing.assert_allclose(cloud.weights, [1 / 3, 1 / 3, 1 / 2, 1 / 6, 1 / 6])
    np.testing.assert_allclose(mesh.values(ds, "u", "m"), ds.u.values.T / 100)
    assert cloud.count == 0 and has_mesh(ds, "xy")


def test_a_mesh_of_each_member_is_filled_up():
    x = np.stack([SQUARE[:, 0], [0.5, 1.5, 0.2, np.nan, np.nan]])
    y = np.stack([SQUARE[:, 1], [0.5, 0.1, 1.2, np.nan, np.nan]])
    x, y = (np.pad(a, [(0, 0), (0, 2)], constant_values=np.nan) for a in (x, y))  # more than needed
    ds = xr.Dataset(
        {"u": (("case", "node"), np.where(np.isfinite(x), 3.0, np.nan))},
        {"x": (("case", "node"), x), "y": (("node", "case"), y.T)},
    )
    mesh = read_mesh(ds, DOMAIN, "file")
    cloud = mesh.cloud(DOMAIN, RECIPE)
    assert cloud.count == 2 and mesh.sizes.tolist() == [5, 3]
    np.testing.assert_array_equal(cloud.weights[1] > 0, [True] * 3 + [False] * 2)
    np.testing.assert_array_equal(mesh.values(ds, "u", "1"), 3.0 * (cloud.weights > 0))


def test_edges_are_neighbours():
    ds = shared().assign(
        edges=(
            ("edge", "two"),
            [[0, 1], [1, 2], [2, 3], [3, 0], [1, 4]],
            {"cf_role": "edge_node_connectivity"},
        )
    )
    heard = read_mesh(ds, DOMAIN, "file").cloud(DOMAIN, RECIPE).within
    assert sorted(heard.index[1][heard.share[1] > 0]) == [0, 1, 2, 4]


def test_polygons_are_cut_into_triangles():
    cells = np.array([[0, 1, 2, 3, 4], [5, 6, 7, -1, -1]])
    assert sorted(simplices(cells, 2).tolist()) == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [5, 6, 7]]


def test_a_grid_is_no_mesh():
    ds = xr.Dataset(coords={"x": np.arange(3.0), "y": np.arange(4.0)})
    assert not has_mesh(ds, "xy") and not has_mesh(xr.Dataset(), "xy")
    assert not has_mesh(ds.drop_vars("x"), "xy")


def test_errors():
    ds = shared()
    mesh = read_mesh(ds, DOMAIN, "file")
    gap = ds.assign(u=ds.u.where(ds.u != 3))
    ragged = ds.assign_coords(x=("node", [np.nan, 0, 1, 1, 0]))
    for said, make in {
        "no coordinate 'y'": lambda: read_mesh(ds.drop_vars("y"), DOMAIN, "file"),
        "must share": lambda: read_mesh(ds.assign_coords(y=("other", [1.0])), DOMAIN, "file"),
        "behind all others": lambda: read_mesh(ragged, DOMAIN, "file"),
        "no variable 'v'": lambda: mesh.values(ds, "v", "m"),
        "1 values": lambda: mesh.values(gap, "u", "m"),
        "does not convert": lambda: mesh.values(ds, "u", "s"),
        "has the dimensions": lambda: mesh.values(ds.expand_dims("t"), "u", "m"),
    }.items():
        with pytest.raises(PinnlabError, match=said):
            make()
