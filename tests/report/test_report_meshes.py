"""Figures of values at the nodes of meshes: colours at the right places, whole and readable."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.tri import TriContourSet

from pinnlab.report import draw, meshes

N, SIDE = 5, 12


def square(scale=1.0):
    """Nodes of a square, cut into triangles."""
    x, y = (a.ravel() for a in np.meshgrid(*[np.linspace(0, scale, SIDE)] * 2, indexing="ij"))
    first = np.arange(SIDE**2).reshape(SIDE, SIDE)
    a, b, c, d = (
        p.ravel() for p in (first[:-1, :-1], first[1:, :-1], first[1:, 1:], first[:-1, 1:])
    )
    return x, y, np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)])


def dataset(faces=True):
    """A plane wave and twice of it; the prediction of member i is i percent too high."""
    x, y, triangles = square()
    size = 1.0 + np.arange(N)
    truth = size[:, None] * (x + y)
    off = 1 + 0.01 * np.arange(N)[:, None]
    told = {"units": "m", "long_name": "height"}
    ds = xr.Dataset(
        {
            "k": (("instance", "node"), truth / 2, {"units": "1", "long_name": "softness"}),
            "u": (("instance", "node"), truth * off, told),
            "u_reference": (("instance", "node"), truth, told),
            "u_relative_error": ("instance", 0.01 * np.arange(N), {"units": "1"}),
        },
        {"x": ("node", x, {"units": "m"}), "y": ("node", y, {"units": "m"})},
        {"title": "A plane"},
    )
    ds["k"].attrs["coverage_content_type"] = "auxiliaryInformation"
    ds = ds.assign_coords(instance=np.arange(N))
    role = {"cf_role": "face_node_connectivity", "start_index": 1}
    return ds.assign(faces=(("face", "corner"), triangles + 1, role)) if faces else ds


def drawn(ds):
    figures = meshes.figures(ds)
    assert list(figures) == ["overview"]
    FigureCanvasAgg(figures["overview"]).draw()
    return figures["overview"]


def panels(figure):
    return [ax for ax in figure.axes if any(isinstance(c, TriContourSet) for c in ax.collections)]


def colour(figure, ax, x, y):
    """Of a place in a panel, as it was painted."""
    pixels = np.asarray(figure.canvas.buffer_rgba())
    column, row = ax.transData.transform((x, y))
    return pixels[pixels.shape[0] - 1 - int(row), int(column), :3] / 255.0


@pytest.mark.parametrize("faces", [True, False])
def test_colours_are_those_of_the_values(faces):
    """Rows of best, median and worst; input, reference, prediction and error in each."""
    figure = drawn(dataset(faces))
    shown = panels(figure)
    assert len(shown) == 12
    titles = [t.get_text() for ax in figure.axes for t in ax.texts]
    wanted = ["Best: instance 0", "Median: instance 2", "Worst: instance 4"]
    assert all(any(t.startswith(w) for t in titles) for w in wanted)
    (bands,) = [c for c in shown[1].collections if isinstance(c, TriContourSet)]
    low, high = bands.norm.vmin, bands.norm.vmax
    np.testing.assert_allclose([low, high], [0.0, 2 * N * 1.04])
    for row, size in ((0, 1.0), (1, 3.0), (2, 5.0)):
        for x, y in ((0.3, 0.4), (0.8, 0.15)):
            found = colour(figure, shown[4 * row + 1], x, y)
            exact = bands.cmap(bands.norm(size * (x + y)))[:3]
            np.testing.assert_allclose(found, exact, atol=0.02)


def test_a_hole_of_the_mesh_stays_white_and_missing_values_are_grey():
    ds = dataset()
    middle = (ds.x + ds.y - 1.0).values
    x, y = (ds[a].values[ds.faces.values - 1].mean(axis=1) for a in "xy")
    hole = np.maximum(abs(x - 0.5), abs(y - 0.5)) < 0.2
    figure = drawn(ds.isel(face=~hole))
    assert colour(figure, panels(figure)[1], 0.5, 0.5).tolist() == [1.0, 1.0, 1.0]
    figure = drawn(ds.assign(u=ds.u.where(middle < 0.6)))
    red, green, blue = colour(figure, panels(figure)[2], 0.95, 0.95)
    assert red == green == blue < 1.0


def test_meshes_of_their_own_leave_out_what_fills_up():
    ds = dataset()
    x = np.broadcast_to(ds.x, (N, ds.sizes["node"])).copy()
    y = np.broadcast_to(ds.y, x.shape) * (1 + np.arange(N))[:, None]
    x[0, -SIDE:] = np.nan  # the last column of nodes
    faces = np.broadcast_to(ds.faces.values - 1.0, (N, *ds.faces.shape)).copy()
    faces[0][(faces[0] >= ds.sizes["node"] - SIDE).any(axis=-1)] = np.nan
    own = ds.drop_vars(["x", "y", "faces"]).assign_coords(
        x=(("instance", "node"), x, {"units": "m"}),
        y=(("instance", "node"), np.where(np.isnan(x), np.nan, y), {"units": "m"}),
    )
    role = {"cf_role": "face_node_connectivity"}
    own["faces"] = (("instance", "face", "corner"), faces, role)
    figure = drawn(own)
    best, worst = panels(figure)[1], panels(figure)[9]
    assert best.get_xlim() == worst.get_xlim() and best.get_ylim() == worst.get_ylim()
    assert colour(figure, best, 0.95, 0.5).tolist() == [1.0, 1.0, 1.0]
    assert colour(figure, worst, 0.95, 4.5).tolist() != [1.0, 1.0, 1.0]


def test_nodes_on_a_line_are_drawn_as_an_axis(tmp_path):
    ds = dataset(False).drop_vars("y").isel(node=slice(None, None, SIDE))
    mixed = ds.isel(node=np.random.default_rng(0).permutation(SIDE))
    (line,) = [
        one
        for one in meshes.figures(mixed)["overview"].axes[0].lines
        if len(one.get_xdata()) == SIDE
    ]
    np.testing.assert_allclose(line.get_xdata(), np.linspace(0, 1, SIDE))
    names = [path.name for path in draw(mixed, [], tmp_path)]
    assert names == ["overview.png", "errors.png"]


def test_meshes_in_space_have_errors_only_and_axes_are_no_meshes(tmp_path):
    ds = dataset(False)
    solid = ds.assign_coords(z=("node", ds.x.values**2, {"units": "m"}))
    assert [path.name for path in draw(solid, [], tmp_path)] == ["errors.png"]
    assert meshes.is_meshed(ds) and not meshes.is_meshed(ds.assign_coords(node=np.arange(SIDE**2)))
