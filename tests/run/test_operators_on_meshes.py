"""Operators trained on a file with a mesh, through the command line: runs, datasets, and use."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from commands import summary
from scipy.spatial import Delaunay

import pinnlab
from pinnlab.core import PinnlabError
from pinnlab.equations import Heat, Poisson
from pinnlab.io import read_dataset, write_netcdf
from pinnlab.networks import Fno, GraphOperator, Transolver
from pinnlab.run.filed import make_filed
from pinnlab.run.meshed import MeshMembers

CHECKER = Path(sys.executable).with_name("compliance-checker")
# The checker allows the roles of sampling geometries (CF 9.5), not those of meshes (CF 5.9)
SKIPPED = ("--skip-checks", "check_cf_role", "--skip-checks", "check_single_cf_role")
NODES, MEMBERS = 14, 6
OWN = """\
# @package _global_
defaults:
  - override /network: graph
  - override /optimizer: adam
name: mine
title: Flow through media on a mesh
summary: The potential for conductivities at the nodes of a mesh, from a file.
method: operator
equation: {_target_: pinnlab.equations.Poisson, source: 1}
operator:
  parameters: [conductivity]
  data: {file: mesh.nc, test: 3, cloud: {neighbours: 3, coarse: [4]}}
network: {width: 4, depth: 1, kernel: 2}
phases: [{steps: 3, points: 4, minibatch: 2, resample: 2}]
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


def triangulated(n, seed):
    """Corners of the unit square with points inside, and triangles."""
    inner = np.random.default_rng(seed).uniform(0.05, 0.95, (n - 4, 2))
    points = np.concatenate([[[0, 0], [1, 0], [1, 1], [0, 1]], inner])
    return points, Delaunay(points).simplices


def shared():
    """One mesh of all members, counted from 1, with a solution in percent."""
    points, faces = triangulated(NODES, 0)
    random = np.random.default_rng(1)
    role = {"cf_role": "face_node_connectivity", "start_index": 1}
    return xr.Dataset(
        {
            "conductivity": (("case", "node"), random.uniform(1, 2, (MEMBERS, NODES))),
            "potential": (
                ("node", "case"),
                100 * random.normal(size=(NODES, MEMBERS)),
                {"units": "percent"},
            ),
            "triangles": (("face", "corner"), faces + 1, role),
        },
        {"x": ("node", points[:, 0], {"units": "1"}), "y": ("node", points[:, 1], {"units": "1"})},
    )


def own():
    """A mesh of each member, the odd ones with two nodes less, filled up with missing values."""
    made = [triangulated(NODES - 2 * (i % 2), i) for i in range(MEMBERS)]
    wide = max(len(f) for _, f in made)
    x = np.full((MEMBERS, NODES, 2), np.nan)
    faces = np.full((MEMBERS, wide, 3), -1)
    for i, (points, triangles) in enumerate(made):
        x[i, : len(points)], faces[i, : len(triangles)] = points, triangles
    role = {"cf_role": "face_node_connectivity"}
    values = {"conductivity": 1.0 + x[..., 0], "potential": x[..., 0] * x[..., 1] + 0.1}
    return xr.Dataset(
        {n: (("case", "node"), v, {"units": "1"}) for n, v in values.items()}
        | {"triangles": (("case", "face", "corner"), faces, role)},
        {a: (("case", "node"), x[..., i], {"units": "1"}) for i, a in enumerate("xy")},
    )


def passes_the_cf_checker(path):
    done = subprocess.run(
        [CHECKER, "--test=cf:1.11", *SKIPPED, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "All tests passed!" in done.stdout, done.stdout + done.stderr
    return True


def members(ds, tmp_path, equation=None, **data):
    ds.to_netcdf(tmp_path / "mesh.nc")
    cloud = {"neighbours": 3, "coarse": [4]}
    given = {"file": str(tmp_path / "mesh.nc"), "test": 3, "cloud": cloud, **data}
    return make_filed(
        {"parameters": ["conductivity"], "data": given}, equation or Poisson(source=1.0), None
    )


def areas(points, faces):
    """(N,) a third of the area of the triangles at each node."""
    a, b = points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]]
    each = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 6
    return np.bincount(faces.ravel(), np.repeat(each, 3), len(points))


def relative(found, truth, weights):
    return np.sqrt((weights * (found - truth) ** 2).sum(-1) / (weights * truth**2).sum(-1))


@pytest.mark.parametrize("make", [shared, own])
def test_a_run_its_dataset_its_figures_and_its_operator(make, mine, tmp_path):
    ds = make()
    ds.to_netcdf("mesh.nc")
    done = mine("figures=true", "seeds=2")
    assert done.code == 0, done.err
    said = summary(tmp_path / "out")
    assert said["operator"] == {
        "members": 3, "transform": None, "bands": {}, "trained_on": 3, "nodes": NODES,
    }  # fmt: skip
    assert passes_the_cf_checker("out/dataset.nc")
    assert (tmp_path / "out/figures/overview.png").is_file()

    made, tested = read_dataset("out/dataset.nc"), ds.isel(case=slice(3, None))
    known = np.isfinite(ds.x.values)[3:] if make is own else np.ones(NODES, bool)
    truth = tested.potential.transpose("case", "node").values / (100 if make is shared else 1)
    np.testing.assert_allclose(made.potential_reference, truth, rtol=1e-6)
    np.testing.assert_allclose(made.conductivity, tested.conductivity, rtol=1e-6)
    for name in ("x", "y"):
        np.testing.assert_allclose(made[name], tested[name])
    assert np.array_equal(np.isfinite(made.potential), np.broadcast_to(known, (3, NODES)))
    assert float(made.potential_spread.max()) > 0

    faces = made.mesh_face_nodes
    assert faces.attrs["cf_role"] == "face_node_connectivity"
    wanted = tested.triangles.values - tested.triangles.attrs.get("start_index", 0)
    np.testing.assert_array_equal(faces.fillna(-1), wanted)
    errors = made.potential_relative_error.values
    if make is shared:
        assert made.mesh.attrs["node_coordinates"] == "x y"
        weights = areas(np.stack([ds.x, ds.y], -1), wanted)
        found = relative(made.potential, made.potential_reference, weights)
        np.testing.assert_allclose(errors, found, rtol=1e-5)
    np.testing.assert_allclose(said["norms"]["relative_l2"], errors.mean(), rtol=1e-6)
    np.testing.assert_allclose(said["norms"]["relative_l2"], made.attrs["relative_l2_potential"])

    again = pinnlab.load("out")(tested)
    assert again.potential.dims == ("case", "node")
    np.testing.assert_allclose(again.potential, made.potential, rtol=1e-4, atol=1e-5)
    write_netcdf(again, "again.nc")
    xr.testing.assert_identical(read_dataset("again.nc"), again)


def test_a_resumed_run_ends_the_same(mine, tmp_path):
    shared().to_netcdf("mesh.nc")
    assert mine("phases.0.steps=6").code == 0
    shutil.move("out", "whole")
    assert mine("phases.0.steps=6", "budget=1e-9").code == 0
    assert summary(tmp_path / "out")["steps"] < 6
    assert mine("phases.0.steps=6").code == 0
    one, two = (read_dataset(f"{run}/dataset.nc") for run in ("whole", "out"))
    np.testing.assert_array_equal(one.potential, two.potential)


def test_members_of_a_mesh_are_drawn_scaled_and_laid_on_their_own(tmp_path):
    import jax

    made = members(own(), tmp_path, count=2, share=0.5)
    assert isinstance(made, MeshMembers) and made.trained == 2
    (term,) = made.terms()
    columns = term.draw(jax.random.key(0), 4, True)
    assert sorted(columns["_mesh"].tolist()) == [0, 0, 1, 1] and term.share == 0.5
    fresh = term.draw(jax.random.key(0), 3, False)
    assert sorted(fresh["_mesh"].tolist()) == [3, 4, 5]
    np.testing.assert_allclose(
        fresh["_solution_u"], np.nan_to_num(own().potential.values)[fresh["_mesh"]], rtol=1e-6
    )
    model = made.scaled(made.model(GraphOperator(4, 1), {}), term)
    seen = own().conductivity.values[:2]  # without what fills up
    np.testing.assert_allclose(
        model.scales["input conductivity"], [np.nanmean(seen), np.nanstd(seen)], rtol=1e-5
    )


def test_a_state_that_evolves_is_given_at_the_end_of_time(tmp_path):
    points, _ = triangulated(NODES, 0)
    values = np.random.default_rng(0).normal(size=(MEMBERS, NODES)) + 280
    ds = xr.Dataset(
        {n: (("case", "node"), values + i, {"units": "K"}) for i, n in enumerate(("before", "T"))},
        {"x": ("node", points[:, 0] * Heat().domain["x"].upper)},
    )
    ds.to_netcdf(tmp_path / "mesh.nc")
    own = {"file": str(tmp_path / "mesh.nc"), "test": 2, "inputs": {"u": "before"}}
    names = {"u": "T"}
    heat = Heat()
    symbol = heat.variables.names[0]
    own |= {"inputs": {symbol: "before"}, "outputs": {symbol: "T"}}
    del names
    made = make_filed({"initial": [symbol], "data": own}, heat, None)
    assert {a: len(v) for a, v in made.coordinates().items()} == {"t": 1, "node": NODES}
    model = made.scaled(made.model(GraphOperator(4, 1), {"increment": True}), made.terms()[0])
    np.testing.assert_allclose(model.scales[f"output {symbol}"], [1.0, 1.0], atol=1e-3)


def test_a_grid_stays_a_grid(tmp_path):
    x = np.linspace(0, 1, 5)
    u = np.ones((4, 5, 5))
    names = ("conductivity", "potential")
    ds = xr.Dataset({n: (("case", "x", "y"), u) for n in names}, {"x": x, "y": x})
    ds.to_netcdf(tmp_path / "grid.nc")
    given = {"parameters": ["conductivity"], "data": {"file": str(tmp_path / "grid.nc")}}
    made = make_filed(given, Poisson(source=1.0), None)
    assert not isinstance(made, MeshMembers) and made.nodes is None
    with pytest.raises(PinnlabError, match="nodes of a mesh"):
        made.model(GraphOperator(4, 1), {})


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        (lambda ds: ds, {"augment": True}, "operator.data.augment has no meaning on a mesh"),
        (lambda ds: ds, {"axes": {"x": "x"}}, "operator.data.axes"),
        (lambda ds: ds, {"resolutions": ["a.nc"]}, "operator.data.resolutions"),
        (lambda ds: ds, {"test": "other.nc"}, "operator.data.test, if it names a file"),
        (lambda ds: ds, {"test": MEMBERS}, "cannot be held back"),
        (lambda ds: ds, {"cloud": {"near": 3}}, "operator.data.cloud"),
        (lambda ds: ds, {"cloud": {"neighbours": NODES}}, "cannot have 14 neighbours"),
        (lambda ds: ds.drop_vars("potential"), {}, "no variable 'potential'"),
        (lambda ds: ds.drop_vars("y"), {}, "no coordinate 'y'"),
        (lambda ds: ds.assign(potential=ds.potential.where(ds.x < 0.9)), {}, "not finite"),
        (lambda ds: ds.assign(potential=ds.potential.mean("node")), {}, "value at each node"),
        (
            lambda ds: ds.assign(potential=ds.potential[:, :4].rename(case="other")),
            {},
            "different numbers of members",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_one_message(change, data, message, tmp_path):
    with pytest.raises(PinnlabError, match=message):
        members(change(shared()), tmp_path, **data)


def test_what_does_not_fit_a_mesh_is_one_line(mine):
    shared().to_netcdf("mesh.nc")
    assert "operator.physics has no meaning" in mine("operator.physics={}").failed()
    assert "needs graph or transolver" in mine("network=fno", "network.modes=2").failed()
    assert "set it to false" in mine("model.exact=true").failed()
    assert "coarse" in mine("model.coarse={n: 4}").failed()
    solver = "classical={_target_: pinnlab.solvers.classical.Steady, n: 8}"
    assert "set classical to null" in mine(solver).failed()


def test_networks_are_refused_before_anything_is_trained(tmp_path):
    made = members(own(), tmp_path)
    with pytest.raises(PinnlabError, match="fill meshes up"):
        made.model(Transolver(4, 1, 2, 2), {})
    with pytest.raises(PinnlabError, match="needs graph or transolver"):
        made.model(Fno(4, modes=2), {})


def test_an_operator_on_another_mesh_and_what_it_refuses(mine, tmp_path):
    shared().to_netcdf("mesh.nc")
    assert mine().code == 0
    operator = pinnlab.load("out")
    assert operator.inputs == {"conductivity": "1"}
    points, _ = triangulated(20, 5)
    one = xr.Dataset(
        {"conductivity": ("place", np.full(20, 150.0), {"units": "percent"})},
        {a: ("place", points[:, i], {"units": "1"}) for i, a in enumerate("xy")},
    )
    found = operator(one)
    assert found.potential.dims == ("place",) and "mesh" not in found
    np.testing.assert_allclose(found.conductivity, 1.5, rtol=1e-6)
    turned = operator(one.isel(place=slice(None, None, -1)))
    np.testing.assert_allclose(turned.potential[::-1], found.potential, atol=1e-5)
    for said, ask in {
        "got a ndarray": lambda: operator(points),
        "no coordinate 'y'": lambda: operator(one.drop_vars("y")),
        "no variable 'conductivity'": lambda: operator(one.drop_vars("conductivity")),
        "no grid can be chosen": lambda: operator(one, grid={"x": 9}),
        "operator.rollout": lambda: operator.rollout(one, 2),
        "cannot be tuned": lambda: operator.tuned(one),
        "cannot be exported": lambda: operator.export(tmp_path / "it"),
    }.items():
        with pytest.raises(PinnlabError, match=said):
            ask()
