"""Operators trained on pairs that the user has in a file."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from commands import summary

import pinnlab
from pinnlab.core import PinnlabError
from pinnlab.equations import Poisson
from pinnlab.run import filed
from pinnlab.run.filed import Rows, make_filed
from pinnlab.terms.instances import INPUT, SOLUTION

N, MEMBERS = 10, 12
OWN = """\
# @package _global_
defaults:
  - override /network: fno
  - override /optimizer: adam
name: mine
title: Flow through media that are given
summary: The pressure for conductivities from a file.
method: operator
equation: {_target_: pinnlab.equations.Poisson, source: 1}
operator: {parameters: [conductivity], data: {file: pairs.nc, test: 4}}
network: {width: 4, modes: 3, depth: 1}
phases: [{steps: 3, points: 8, minibatch: 4, resample: 2}]
figures: false
quiet: true
"""


@pytest.fixture
def mine(shell):
    """Call the user's own experiment."""
    folder = Path("configs/experiment")
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(OWN)
    return lambda *more: shell("experiment=mine", "hydra.run.dir=out", *more)


def pairs(n=N, members=MEMBERS):
    """Products of sines over one conductivity for each member, which solve no equation here: only
    reading and moving them matters."""
    nodes = np.linspace(0.0, 1.0, n)
    size = 1.0 + np.arange(members)[:, None, None] + 0.1 * nodes[:, None]
    wave = np.sin(np.pi * nodes)[:, None] * np.sin(np.pi * nodes) * nodes[:, None]
    return xr.Dataset(
        {
            "conductivity": (("sample", "x", "y"), size + 0.0 * nodes, {"units": "1"}),
            "potential": (("sample", "x", "y"), wave / size, {"units": "1"}),
        },
        {"x": nodes, "y": nodes},
    )


def members(ds, tmp_path, **data):
    ds.to_netcdf(tmp_path / "pairs.nc")
    given = {"parameters": ["conductivity"]}
    own = {"file": str(tmp_path / "pairs.nc"), "test": 4, **data}
    return make_filed({**given, "data": own}, Poisson(source=1.0), None)


def test_it_trains_and_tests_on_the_file(mine, tmp_path):
    pairs().to_netcdf("pairs.nc")
    pairs(15).to_netcdf("finer.nc")
    done = mine(
        "operator.data.resolutions=[finer.nc]", "operator.data.augment=true", "model.symmetric=true"
    )
    assert done.code == 0, done.err
    said = summary(tmp_path / "out")
    assert said["operator"]["trained_on"] == MEMBERS - 4 and said["operator"]["members"] == 4
    assert said["operator"]["symmetries"] == 8 and set(said["operator"]["resolution"]) == {"15x15"}
    assert said["reference"] == "pairs.nc"
    with xr.open_dataset("out/dataset.nc") as ds:
        np.testing.assert_allclose(ds.potential_reference, pairs().potential[-4:], rtol=1e-6)
        np.testing.assert_allclose(ds.conductivity, pairs().conductivity[-4:], rtol=1e-6)
    operator, given = pinnlab.load("out"), pairs()
    turned = given.assign(conductivity=(given.conductivity.dims, given.conductivity.values.mT))
    answers = [operator(ds).potential.transpose(..., "x", "y").values for ds in (given, turned)]
    np.testing.assert_allclose(answers[1], answers[0].mT, atol=1e-5 * np.abs(answers[0]).max())


def test_units_and_names_of_the_file_are_its_own(tmp_path):
    ds = pairs().rename(conductivity="k", potential="p", x="east").transpose("y", "sample", "east")
    ds["k"] = ds.k * 100.0
    ds["k"].attrs["units"] = "percent"
    more = {"inputs": {"conductivity": "k"}, "outputs": {"u": "p"}, "axes": {"x": "east"}}
    found = members(ds, tmp_path, **more)
    np.testing.assert_allclose(found.test()["conductivity"], pairs().conductivity[-4:])
    np.testing.assert_allclose(found.reference({}).values["u"], pairs().potential[-4:])


@pytest.mark.parametrize("streamed", [False, True])
def test_every_member_is_drawn_once_before_any_comes_again(streamed, tmp_path, monkeypatch):
    if streamed:
        monkeypatch.setattr(filed, "_WHOLE", 0)
    found = members(pairs(), tmp_path)
    draw = jax.jit(Rows(found, ("u",)), static_argnums=(1, 2))
    columns = draw(jax.random.key(0), 16, True)
    which = columns[INPUT + "conductivity"][:, 0, 0] - 1.0
    np.testing.assert_allclose(np.sort(which[:8]), np.arange(8), atol=1e-5)
    np.testing.assert_allclose(np.sort(which[8:]), np.arange(8), atol=1e-5)
    truth = pairs().potential.values[np.rint(which).astype(int)]
    np.testing.assert_allclose(columns[SOLUTION + "u"], truth, rtol=1e-5)
    fresh = draw(jax.random.key(0), 4, False)[INPUT + "conductivity"][:, 0, 0] - 1.0
    np.testing.assert_allclose(np.sort(fresh), np.arange(8, 12), atol=1e-5)


def test_inputs_and_solutions_are_moved_together(tmp_path):
    found = members(pairs(), tmp_path, augment=True)
    columns = Rows(found, ("u",))(jax.random.key(1), 64, True)
    size, u = columns[INPUT + "conductivity"], columns[SOLUTION + "u"]
    # the wave over x, sin(pi x) sin(pi y) x, is known from the input, which grows along x
    moved = sum(float(jnp.abs(s - pairs().conductivity.values[0]).max()) > 1e-5 for s in size)
    assert moved > 32
    along = [0 if abs(s[1, 0] - s[0, 0]) > 1e-6 else 1 for s in np.asarray(size)]
    for s, v, axis in zip(np.asarray(size), np.asarray(u), along, strict=True):
        s, v = np.moveaxis(s, axis, 0), np.moveaxis(v, axis, 0)
        s, v = (s, v) if s[1, 0] > s[0, 0] else (s[::-1], v[::-1])
        nodes = np.linspace(0.0, 1.0, N)
        wave = np.sin(np.pi * nodes)[:, None] * np.sin(np.pi * nodes) * nodes[:, None]
        np.testing.assert_allclose(v * s, wave, atol=1e-5)
    assert set(along) == {0, 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ds: ds.drop_vars("potential"), "potential"),
        (lambda ds: ds.assign(conductivity=ds.conductivity.where(ds.x < 0.9)), "not finite"),
        (lambda ds: ds.assign_coords(x=ds.x * 2), "equation.domain.x"),
        (lambda ds: ds.rename(y="north"), "dimensions"),
        (
            lambda ds: ds.assign(conductivity=ds.conductivity.assign_attrs(units="m")),
            "does not convert",
        ),
        (lambda ds: ds.isel(sample=slice(3)), "operator.data.test"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_message(change, message, tmp_path):
    with pytest.raises(PinnlabError, match=message):
        members(change(pairs()), tmp_path)


def test_a_missing_file_and_unknown_keys_are_refused(mine):
    assert "pairs.nc" in mine().failed()
    pairs().to_netcdf("pairs.nc")
    assert "colour" in mine("operator.data.colour=1").failed()
    assert "rest" in mine("operator.rest=1").failed()


def test_physics_on_a_finer_grid_than_the_files(tmp_path):
    found = members(pairs(), tmp_path)
    physics = {"grid": {"x": 17, "y": 17}}
    given = {"parameters": ["conductivity"], "physics": physics}
    own = {"file": str(tmp_path / "pairs.nc"), "test": 4}
    both = make_filed({**given, "data": own}, Poisson(source=1.0), None)
    assert [t.name for t in both.terms()] == ["pairs", "residual"]
    assert both.terms()[1].grid.shape == (17, 17) and both.grid.shape == found.grid.shape
    assert replace(found, physics=None).terms()[0].name == "pairs"
