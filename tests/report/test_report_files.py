"""What `draw` leaves in the folder: whole pictures of sane size, nothing cut off, nothing else."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread
from matplotlib.text import Text

from pinnlab.core.errors import PinnlabError
from pinnlab.report import draw, overview, profile, quality, series
from pinnlab.report import history as losses

pytestmark = pytest.mark.filterwarnings("error")


def check_pictures(paths, folder):
    assert sorted(folder.iterdir()) == sorted(paths)  # no temporary file is left
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        pixels = imread(path)[..., :3]
        assert 1000 <= pixels.shape[1] <= 1600 and 300 <= pixels.shape[0] <= 2500, path
        frame = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
        assert min(side.min() for side in frame) == 1.0, f"{path.name} is cut off at its border"
        assert pixels.min() < 0.5, f"{path.name} is empty"


def test_every_kind_leaves_whole_pictures(kind, history, tmp_path):
    paths = draw(kind, history, tmp_path / "figures")
    assert paths[0].name == "overview.png" and paths[-1].name == "history.png"
    check_pictures(paths, tmp_path / "figures")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("burgers", ["overview", "quality"]),
        ("soil", ["overview", "series", "profile", "quality"]),
        ("poisson", ["overview"]),
        ("swing", ["overview", "series", "quality"]),
    ],
)
def test_only_what_the_dataset_holds_is_drawn(name, expected, request, tmp_path):
    paths = draw(request.getfixturevalue(name), [], tmp_path)
    assert [path.stem for path in paths] == expected


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_constant_and_infinite_fields_are_drawn(kind, value, tmp_path):
    for name, array in kind.data_vars.items():
        if array.dtype.kind == "f":
            kind[name] = xr.full_like(array, value)
    check_pictures(draw(kind, [], tmp_path), tmp_path)


@pytest.mark.parametrize("loss", [np.nan, None, 0.0, -1.0])
def test_a_log_without_positive_losses_is_drawn(loss, history, tmp_path):
    records = [{**r, "loss": loss, "fresh_loss": loss, "terms": {"a": loss}} for r in history]
    check_pictures(draw(xr.Dataset(), records, tmp_path), tmp_path)


@pytest.mark.parametrize("cut", [{"t": [-1]}, {"x": [5]}, {"t": [0], "x": [3]}])
def test_dimensions_of_one_value_are_drawn(burgers, cut, tmp_path):
    check_pictures(draw(burgers.isel(cut), [], tmp_path), tmp_path)


def test_dimensions_without_coordinates_or_attributes_are_drawn(tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 5, 6, 7))
    check_pictures(draw(xr.Dataset({"u": (("t", "z", "y", "x"), values)}), [], tmp_path), tmp_path)


def test_nothing_to_draw_leaves_nothing(tmp_path):
    assert draw(xr.Dataset(), [], tmp_path / "figures") == []
    assert not (tmp_path / "figures").exists()


def test_drawing_again_replaces_and_is_reproducible(climate, tmp_path):
    (tmp_path / "overview.png").write_bytes(b"old")
    (path,) = draw(climate, [], tmp_path)
    first = path.read_bytes()
    draw(climate, [], tmp_path)
    assert path.read_bytes() == first != b"old"


def test_a_folder_that_cannot_be_made_is_named(climate, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PinnlabError, match="file/figures"):
        draw(climate, [], tmp_path / "file" / "figures")


def test_all_text_is_readable(kind, history):
    made = [overview.figure(kind), series.figure(kind), profile.figure(kind), quality.figure(kind)]
    for figure in [*made, losses.figure(history)]:
        if figure is not None:
            texts = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
            assert min(t.get_fontsize() for t in texts) >= 9


def test_drawing_changes_no_global_setting(burgers, tmp_path):
    def settings():  # matplotlib fills in its backend when it is first looked at
        return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}

    before = settings()
    draw(burgers, [], tmp_path)
    assert settings() == before


def test_the_room_is_cheap_to_import():
    program = (
        "import sys; from pinnlab.report import draw; from pinnlab.report.compare import rows\n"
        "heavy = {'matplotlib', 'xarray', 'rich', 'yaml', 'hydra', 'jax'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_figure_goes_through_pyplot(tmp_path):
    program = (
        "import sys, numpy, xarray; from pinnlab.report import draw\n"
        "ds = xarray.Dataset({'u': (('t', 'x'), numpy.eye(4))})\n"
        f"draw(ds, [{{'step': 1, 'loss': 1.0}}], {str(tmp_path)!r})\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
