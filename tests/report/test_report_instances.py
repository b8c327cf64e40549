"""Figures of many instances: the right ones are shown, with the right numbers and whole."""

import functools

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.image import imread
from matplotlib.text import Text

from pinnlab.report import draw, instances, ranking, style

pytestmark = pytest.mark.filterwarnings("error")

N = 41
SIZES = 1e-3 * np.exp(np.random.default_rng(0).normal(size=N))  # of the errors
ORDER = np.argsort(SIZES)
BEST, MEDIAN, WORST = (int(i) for i in ORDER[[0, (N - 1) // 2, -1]])
LABELS = 100 + np.arange(N)  # an instance is called by its label, not by its place


def variable(dims, values, units, long_name, **attrs):
    return xr.Variable(dims, values, {"units": units, "long_name": long_name, **attrs})


def predicted(ds, name, error):
    """Take *name* as the truth; the prediction is off by *error*, scaled to the sizes above."""
    truth, dims = ds[name], ds[name].dims
    over = tuple(range(1, truth.ndim))
    error = np.broadcast_to(error, truth.shape)
    ratio = np.sqrt((truth.values**2).sum(over) / (error**2).sum(over))
    error = error * (SIZES * ratio).reshape([-1, *[1] * len(over)])
    ds[f"{name}_reference"] = truth.copy()
    ds[name] = (dims, truth.values + error, truth.attrs)
    ds[f"{name}_error"] = (dims, error, truth.attrs)
    ds[f"{name}_relative_error"] = ("instance", SIZES, {"units": "1"})
    return ds


def fields(shape, seed, smooth=3.0):
    """Smooth random functions on the unit interval or square."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(N, *shape))
    for axis, n in enumerate(shape, 1):
        k = np.fft.fftfreq(n, 1 / n)
        damp = np.exp(-((k / smooth) ** 2)).reshape(
            [-1 if a == axis else 1 for a in range(noise.ndim)]
        )
        noise = np.fft.ifft(np.fft.fft(noise, axis=axis) * damp, axis=axis).real
    return noise / noise.std()


def make_line():
    """Steady, one axis of space, two inputs and a number."""
    x = np.linspace(0, 2, 101)
    load = 1e3 * fields((101,), 1)
    stiffness = 2.0 + 0.5 * np.tanh(fields((101,), 2))
    bend = np.cumsum(load, axis=1) * 2e-8 * np.sin(np.pi * x / 2)
    ds = xr.Dataset(
        {
            "instance": ("instance", LABELS),
            "x": variable("x", x, "m", "position"),
            "load": variable(("instance", "x"), load, "N m-1", "load"),
            "stiffness": variable(("instance", "x"), stiffness, "N m2", "bending stiffness"),
            "tension": variable("instance", 5.0 + SIZES, "N", "tension"),
            "deflection": variable(("instance", "x"), bend, "m", "deflection"),
        },
        attrs={"title": "Beams under random loads", "method": "operator", "reference": "Newton"},
    )
    return predicted(ds, "deflection", np.sin(9 * x) * np.sin(np.pi * x / 2))


def make_plane():
    """Steady, two axes of space: flow through porous rock."""
    x = y = np.linspace(0, 1, 33)
    k = np.exp(fields((33, 33), 3))
    p = np.sin(np.pi * x) * np.sin(np.pi * y[:, None]) * (1 + 0.3 * fields((33, 33), 4)) * 2e4
    ds = xr.Dataset(
        {
            "instance": ("instance", LABELS),
            "y": variable("y", y, "m", "position"),
            "x": variable("x", x, "m", "position"),
            "permeability": variable(("instance", "y", "x"), k * 1e-12, "m2", "permeability"),
            "pressure": variable(("instance", "y", "x"), p, "Pa", "pressure"),
        },
        attrs={
            "title": "Flow through porous rock of random permeability",
            "method": "operator",
            "reference": "SteadyNewton, refined",
        },
    )
    return predicted(ds, "pressure", np.sin(7 * x) * np.cos(9 * y[:, None]))


def make_roll():
    """One axis of space and time from random initial states."""
    t, x = np.linspace(0, 1, 26), np.linspace(0, 1, 64, endpoint=False)
    start = fields((64,), 5)
    k = 2 * np.pi * np.fft.fftfreq(64, 1 / 64)
    decay = np.exp(-0.01 * k**2 * t[:, None] - 1j * k * t[:, None])
    u = np.fft.ifft(np.fft.fft(start)[:, None] * decay, axis=-1).real
    ds = xr.Dataset(
        {
            "instance": ("instance", LABELS),
            "t": variable("t", t, "s", "time"),
            "x": variable("x", x, "m", "position"),
            "initial_velocity": variable(("instance", "x"), start, "m s-1", "initial velocity"),
            "velocity": variable(("instance", "t", "x"), u, "m s-1", "velocity"),
        },
        attrs={"title": "Waves that travel and spread", "method": "operator", "reference": "exact"},
    )
    return predicted(ds, "velocity", np.sin(2 * np.pi * (3 * x - t[:, None])) * t[:, None])


def make_shallow():
    """Two axes of space and time, two variables of different error."""
    t, x, y = np.linspace(0, 3600, 4), np.linspace(0, 1e5, 24), np.linspace(0, 1e5, 24)
    start = fields((24, 24), 6)
    h = 0.1 * start[:, None] * np.cos(t / 1500)[:, None, None]
    ds = xr.Dataset(
        {
            "instance": ("instance", LABELS),
            "t": variable("t", t, "s", "time"),
            "y": variable("y", y, "m", "northward distance"),
            "x": variable("x", x, "m", "eastward distance"),
            "initial_height": variable(("instance", "y", "x"), start, "m", "initial height"),
            "height": variable(("instance", "t", "y", "x"), h, "m", "surface height"),
            "speed": variable(("instance", "t", "y", "x"), h[..., ::-1], "m s-1", "speed"),
        },
        attrs={"title": "Shallow water", "method": "operator", "reference": "exact"},
    )
    ds = predicted(ds, "height", np.cos(x / 1e4) * np.exp(t / 3600)[:, None, None])
    return predicted(ds, "speed", np.cos(y / 1e4)[:, None])


MAKERS = {"line": make_line, "plane": make_plane, "roll": make_roll, "shallow": make_shallow}


def drawn(figure):
    """The figure with its ticks and positions, as they are once drawn."""
    figure.draw_without_rendering()
    return figure


@functools.cache
def overview(kind):
    """The first figure of a kind, drawn once for all tests that only look at it."""
    return drawn(instances.figures(MAKERS[kind]())["overview"])


def texts(figure):
    return {" ".join(t.get_text().split()) for t in figure.findobj(Text)}


def meshes(figure, start):
    """The images of the column that is titled so, from the first row to the last."""
    axes = [ax for ax in figure.axes if ax.get_subplotspec() is not None]
    (top,) = [ax for ax in axes if ax.get_title(loc="left").strip() == start]
    column = [ax for ax in axes if ax.get_subplotspec().colspan == top.get_subplotspec().colspan]
    return [c for ax in column for c in ax.collections if isinstance(c, QuadMesh)]


def check_picture(path):
    pixels = imread(path)[..., :3]
    assert 1000 <= pixels.shape[1] <= 1600 and 300 <= pixels.shape[0] <= 2500, path
    frame = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
    assert min(side.min() for side in frame) == 1.0, f"{path.name} is cut off at its border"


def shown_texts(figure):
    """All texts that are to be seen: of the labels of ticks those within their axis."""
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    ticks = [(axis, tick) for axis in axes for tick in axis.get_major_ticks()]
    of_ticks = {text for _, tick in ticks for text in (tick.label1, tick.label2)}
    inside = []
    for axis, tick in ticks:
        low, high = sorted(axis.get_view_interval())
        inside += [tick.label1, tick.label2] if low <= tick.get_loc() <= high else []
    others = [text for text in figure.findobj(Text) if text not in of_ticks]
    return [t for t in (*inside, *others) if t.get_visible() and t.get_text().strip()]


def check_apart(figure):
    """No two texts lie over each other; a blank first line counts for nothing."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = []
    for text in shown_texts(figure):
        text.set_text(text.get_text().lstrip("\n"))
        boxes.append((text.get_text(), text.get_window_extent(renderer).padded(-1)))
    assert len(boxes) > 10
    for i, (one, box) in enumerate(boxes):
        for other, its in boxes[i + 1 :]:
            assert not box.overlaps(its), (one, other)


@pytest.fixture(params=list(MAKERS))
def kind(request):
    return request.param


# ---------------------------------------------------------------- files


def test_every_kind_leaves_whole_pictures(kind, history, tmp_path):
    ds = MAKERS[kind]()
    paths = draw(ds, history, tmp_path)
    further = ["overview_speed"] if "speed" in ds else []
    assert [p.stem for p in paths] == ["overview", *further, "errors", "history"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        check_picture(path)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("make", [make_line, make_roll])
def test_few_instances_are_drawn(make, count):
    ds = make().isel(instance=slice(count))
    shown = texts(drawn(instances.figures(ds)["overview"]))
    found = {t.split(":")[0] for t in shown if ": instance 10" in t}
    assert found == ({"Only one"} if count == 1 else {"Best", "Worst"})
    drawn(ranking.figure(ds))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize("make", [make_line, make_roll])
def test_constant_and_infinite_fields_are_drawn(make, value):
    ds = make()
    for name, array in ds.data_vars.items():
        if array.dtype.kind == "f":
            ds[name] = xr.full_like(array, value)
    for figure in (*instances.figures(ds).values(), ranking.figure(ds)):
        drawn(figure)


def test_texts_do_not_overlap(kind):
    ds = MAKERS[kind]()
    for figure in (instances.figures(ds)["overview"], ranking.figure(ds)):
        check_apart(figure)


def test_a_dataset_of_inputs_alone_leaves_nothing(tmp_path):
    ds = make_plane()[["permeability"]].mean(("x", "y"))
    assert draw(ds, [], tmp_path / "figures") == []


# ---------------------------------------------------------------- which instances


def test_best_median_and_worst_are_shown_by_their_labels(kind):
    shown = texts(overview(kind))
    for why, i in (("Best", BEST), ("Median", MEDIAN), ("Worst", WORST)):
        start = f"{why}: instance {LABELS[i]}"
        (title,) = [t for t in shown if t.startswith(start)]
        assert f"relative L2 {style.number(SIZES[i])}" in title
    assert any(" of 41 instances; method: operator; reference:" in t for t in shown)


def test_an_instance_that_is_not_finite_is_the_worst():
    ds = make_line()
    ds = ds.assign({n: ds[n].where(ds.instance != 103) for n in ds if "deflection" in n})
    ds["deflection_reference"] = make_line().deflection_reference
    shown = texts(drawn(instances.figures(ds)["overview"]))
    assert any(t.startswith("Worst: instance 103 not finite") for t in shown)
    assert any(t.endswith("; 1 not finite") for t in texts(ranking.figure(ds)))


def test_errors_come_from_the_fields_where_none_were_measured(kind):
    ds = MAKERS[kind]()
    for name in ranking.read(ds).variables:
        alone = ds.drop_vars([f"{name}_relative_error", f"{name}_error"])
        np.testing.assert_allclose(ranking.errors(alone, name), SIZES, rtol=1e-9)


def test_without_a_reference_the_first_three_are_shown():
    ds = make_plane()
    ds = ds.drop_vars([name for name in ds if str(name).startswith("pressure_")])
    ds["permeability"].attrs["coverage_content_type"] = "auxiliaryInformation"
    held = ranking.read(ds)
    assert (held.variables, held.inputs) == (("pressure",), ("permeability",))
    shown = texts(drawn(instances.figures(ds)["overview"]))
    assert {"Instance 100", "Instance 101", "Instance 102", "Prediction"} <= shown
    assert "Reference" not in shown and ranking.figure(ds) is None


def test_what_was_predicted_is_told_from_what_it_was_made_from():
    held = {kind: ranking.read(make()) for kind, make in MAKERS.items()}
    assert held["line"] == ranking.Held(("deflection",), ("load", "stiffness"), ("tension",), None)
    assert held["plane"] == ranking.Held(("pressure",), ("permeability",), (), None)
    assert held["roll"] == ranking.Held(("velocity",), ("initial_velocity",), (), "t")
    assert held["shallow"] == ranking.Held(("height", "speed"), ("initial_height",), (), "t")


# ---------------------------------------------------------------- what the panels show


@pytest.mark.parametrize(
    "kind, name, cut, dims",
    [
        ("plane", "pressure", {}, ("instance", "y", "x")),
        ("roll", "velocity", {}, ("instance", "x", "t")),
        ("shallow", "height", {"t": -1}, ("instance", "y", "x")),
    ],
)
def test_images_are_the_fields_of_these_instances(kind, name, cut, dims):
    ds, figure = MAKERS[kind](), overview(kind)
    here = ds.isel(instance=[BEST, MEDIAN, WORST]).isel(cut).transpose(..., *dims[1:])
    both = np.stack([here[name], here[f"{name}_reference"]])
    for title, key in (("Prediction", name), ("Reference", f"{name}_reference")):
        found = meshes(figure, title)
        np.testing.assert_array_equal([m.get_array() for m in found], here[key])
        assert {m.get_clim() for m in found} == {(both.min(), both.max())}
        assert {m.cmap.name for m in found} == {"viridis"}
    error = (here[name] - here[f"{name}_reference"]).values
    for mesh, expected in zip(meshes(figure, "Error"), error, strict=True):
        np.testing.assert_array_equal(mesh.get_array(), expected)
        assert mesh.get_clim() == (-np.abs(expected).max(), np.abs(expected).max())


def test_images_of_an_input_share_their_colours():
    ds = make_plane()
    found = meshes(overview("plane"), "Input")
    shown = ds.permeability.isel(instance=[BEST, MEDIAN, WORST])
    np.testing.assert_array_equal([m.get_array() for m in found], shown)
    assert {m.get_clim() for m in found} == {(float(shown.min()), float(shown.max()))}
    assert {m.cmap.name for m in found} == {"cividis"}


def test_an_input_over_one_axis_stands_beside_the_images():
    ds = make_roll()
    figure = overview("roll")
    (ax,) = [a for a in figure.axes if a.get_title(loc="left").strip() == "Input"]
    expected = np.stack([ds.initial_velocity[BEST], ds.x], axis=1)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), expected)
    assert ax.get_ylabel() == "position x [m]"


def test_lines_show_input_both_fields_and_error():
    ds, figure = make_line(), overview("line")
    axes = np.array(figure.axes).reshape(4, 3)
    for j, i in enumerate((BEST, MEDIAN, WORST)):
        np.testing.assert_array_equal(axes[0, j].lines[0].get_ydata(), ds["load"][i])
        np.testing.assert_array_equal(axes[1, j].lines[0].get_ydata(), ds.stiffness[i])
        found = {one.get_label(): one.get_ydata() for one in axes[2, j].lines}
        np.testing.assert_array_equal(found["prediction"], ds.deflection[i])
        np.testing.assert_array_equal(found["reference"], ds.deflection_reference[i])
        error = ds.deflection[i] - ds.deflection_reference[i]
        np.testing.assert_array_equal(axes[3, j].lines[0].get_ydata(), error)
    for row in axes[:3]:
        assert len({ax.get_ylim() for ax in row}) == 1
    shown = texts(figure)
    assert {"load [N m⁻¹]", "deflection [10⁻³ m]", "position x [m]"} <= shown
    assert not any(ax.yaxis.get_offset_text().get_visible() for ax in figure.axes)


def test_a_prediction_that_blew_up_does_not_flatten_the_others():
    """It leaves its panel, whose range is three times as wide as the reference's at most."""
    ds = make_line()
    ds["deflection"] = ds.deflection.where(ds.instance != LABELS[WORST], ds.deflection * 1e9)
    axes = np.array(drawn(instances.figures(ds)["overview"]).axes).reshape(4, 3)
    here = ds.deflection_reference[[BEST, MEDIAN, WORST]]
    low, high = axes[2, 0].get_ylim()
    assert low < here.min() and here.max() < high
    assert high - low < 3.5 * (here.max() - here.min())
    plane = make_plane()
    plane["pressure"] = plane.pressure.where(plane.instance != LABELS[WORST], 1e9)
    low, high = meshes(drawn(instances.figures(plane)["overview"]), "Prediction")[0].get_clim()
    assert high - low < 3.5 * np.ptp(plane.pressure_reference.values)


def test_an_input_over_a_plane_has_no_place_above_lines():
    ds = make_plane()
    ds["outflow"] = ds.pressure.mean("y").assign_attrs(ds.pressure.attrs, long_name="outflow")
    ds["outflow_reference"] = ds.pressure_reference.mean("y")
    ds = ds.drop_vars([name for name in ds if str(name).startswith("pressure")])
    shown = texts(drawn(instances.figures(ds)["overview"]))
    assert any(t.endswith("inputs not shown: permeability") for t in shown)


# ---------------------------------------------------------------- the errors of all


def test_the_curve_of_errors_is_read_as_a_quantile():
    figure = drawn(ranking.figure(make_plane()))
    (ax,) = figure.axes
    share, error = ax.lines[0].get_data()
    np.testing.assert_array_equal(error, SIZES[ORDER])
    assert share[(N - 1) // 2] == pytest.approx(50.0)
    assert ax.get_yscale() == "log"
    half, most = (style.number(float(np.quantile(SIZES, q))) for q in (0.5, 0.9))
    worst = style.number(float(SIZES.max()))
    assert f"pressure: median {half}, 90 % below {most}, worst {worst}" in texts(figure)


def test_growth_is_the_median_over_instances_at_each_time():
    ds = make_roll()
    _, ax = drawn(ranking.figure(ds)).axes
    off = np.linalg.norm(ds.velocity - ds.velocity_reference, axis=-1)
    expected = np.median(off / np.linalg.norm(ds.velocity_reference, axis=-1), axis=0)
    t, found = ax.lines[0].get_data()
    np.testing.assert_array_equal(t, ds.t)
    np.testing.assert_allclose(np.ma.filled(found, 0.0)[1:], expected[1:], rtol=1e-12)
    assert ax.get_xlabel() == "time t [s]"
