"""Operators trained on a file with a mesh, through the command line: runs, datasets, and use."""

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from commands import summary
from scipy.spatial import Delaunay

import pinnlab
from pinnlab.cli import main
from pinnlab.core import PinnlabError
from pinnlab.equations import Heat, Poisson
from pinnlab.io import read_dataset, write_netcdf
from pinnlab.networks import Fno, GraphOperator, Transolver
from pinnlab.report import draw
from pinnlab.run.filed import make_filed
from pinnlab.run.meshed import MeshMembers
from pinnlab.run.meshsolution import MeshSolution
from pinnlab.run.outputs import Result, dataset

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


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Programs that run a few times are compiled faster than they are optimised."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def described():
    folder = Path("configs/experiment")
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(OWN)


@pytest.fixture
def mine(shell):
    """Call the user's own experiment."""
    described()
    return lambda *more: shell("experiment=mine", "hydra.run.dir=out", *more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run on one mesh, with its figures."""
    made = tmp_path_factory.mktemp("mesh")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(sys, "argv", ["pinnlab"])
        described()
        shared().to_netcdf("mesh.nc")
        with pytest.raises(SystemExit) as end:
            main(["experiment=mine", "figures=true", "hydra.run.dir=out"])
    assert not end.value.code
    return made / "out"


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


def test_a_run_and_its_dataset(folder):
    said, made = summary(folder), read_dataset(folder / "dataset.nc")
    told = {"members": 3, "transform": None, "bands": {}, "trained_on": 3, "nodes": NODES}
    assert told.items() <= said["operator"].items()
    assert passes_the_cf_checker(folder / "dataset.nc")
    drawn = {path.name for path in (folder / "figures").iterdir()}
    assert drawn == {"overview.png", "errors.png", "history.png"}

    ds = shared().isel(case=slice(3, None))
    truth = ds.potential.values.T / 100
    np.testing.assert_allclose(made.potential_reference, truth, rtol=1e-6)
    np.testing.assert_allclose(made.conductivity, ds.conductivity, rtol=1e-6)
    assert made.mesh.attrs["node_coordinates"] == "x y"
    assert made.potential.attrs["mesh"] == "mesh" and made.potential.attrs["location"] == "node"
    np.testing.assert_array_equal(made.mesh_face_nodes, ds.triangles - 1)
    weights = areas(np.stack([made.x, made.y], -1), made.mesh_face_nodes.values)
    errors = relative(made.potential.values, truth, weights)
    np.testing.assert_allclose(made.potential_relative_error, errors, rtol=1e-5)
    np.testing.assert_allclose(said["norms"]["relative_l2"], errors.mean(), rtol=1e-5)


def test_the_operator_of_a_run_says_the_same_as_its_dataset(folder, tmp_path):
    made = read_dataset(folder / "dataset.nc")
    again = pinnlab.load(folder)(shared().isel(case=slice(3, None)))
    assert again.potential.dims == ("case", "node")
    np.testing.assert_allclose(again.potential, made.potential, rtol=1e-4, atol=1e-5)
    write_netcdf(again, tmp_path / "again.nc")
    xr.testing.assert_identical(read_dataset(tmp_path / "again.nc"), again)
    whole = pinnlab.load(folder)(made)  # its own dataset has all that it needs
    np.testing.assert_allclose(whole.potential, made.potential, rtol=1e-4, atol=1e-5)


def test_a_resumed_run_ends_the_same(folder, mine, tmp_path):
    shared().to_netcdf("mesh.nc")
    assert mine("budget=1e-9").code == 0
    assert summary(tmp_path / "out")["steps"] < 3
    assert mine().code == 0
    one, two = (read_dataset(run / "dataset.nc") for run in (folder, tmp_path / "out"))
    np.testing.assert_array_equal(one.potential, two.potential)


def result(made, seeds=1):
    """What a run would store of an operator that nobody trained, by the mean over seeds."""
    model = made.scaled(made.model(GraphOperator(4, 1, kernel=2), {}), made.terms()[0])
    keys = jax.random.split(jax.random.key(0), seeds)
    init = jax.jit(jax.vmap(lambda key: model.init(key, made.some())))(keys)
    params = init if seeds > 1 else jax.tree.map(lambda a: a[0], init)
    reading = made.reading(model, {"network": params}, seeds)
    found, truth = made.predicted(reading, made.test()), made.reference(made.test())
    values, spread = ({n: f(v, axis=0) for n, v in found.items()} for f in (np.mean, np.std))
    more = {"spread": spread, "inputs": made.shown(), "nodes": made.nodes}
    told = Result(made.equation, made.coordinates(), values, truth.values, **more)
    attributes = {"title": "it", "history": "now", "institution": "none", "source": "none"}
    return reading, truth.relative_l2(values), dataset(told, attributes)


def test_a_dataset_of_members_with_meshes_of_their_own(tmp_path):
    ds = own()
    reading, errors, made = result(members(ds, tmp_path), seeds=2)
    write_netcdf(made, tmp_path / "made.nc")
    assert passes_the_cf_checker(tmp_path / "made.nc")
    again, tested = read_dataset(tmp_path / "made.nc"), ds.isel(case=slice(3, None))
    xr.testing.assert_identical(again, made)
    for name in ("x", "y", "conductivity"):
        np.testing.assert_allclose(made[name], tested[name], rtol=1e-6)
    np.testing.assert_allclose(made.potential_reference, tested.potential, rtol=1e-6)
    np.testing.assert_array_equal(np.isfinite(made.potential), np.isfinite(tested.x))
    np.testing.assert_array_equal(made.mesh_face_nodes.fillna(-1), tested.triangles)
    for i in range(3):
        points = np.stack([tested.x[i], tested.y[i]], -1)
        n, faces = int(np.isfinite(points[:, 0]).sum()), tested.triangles.values[i]
        weights = areas(points[:n], faces[faces[:, 0] >= 0])
        ours = relative(made.potential.values[i, :n], tested.potential.values[i, :n], weights)
        np.testing.assert_allclose(made.potential_relative_error[i], ours, rtol=1e-5)
    np.testing.assert_allclose(errors["u"], made.potential_relative_error.mean(), rtol=1e-6)
    used = MeshSolution(reading)(tested)
    np.testing.assert_allclose(used.potential, made.potential, rtol=1e-4, atol=1e-5)
    assert used.potential_spread.dims == ("case", "node")
    assert draw(made, [], tmp_path / "figures")[0].name == "overview.png"


@pytest.mark.slow
def test_a_run_on_meshes_of_their_own(mine, tmp_path):
    own().to_netcdf("mesh.nc")
    assert mine("seeds=2").code == 0
    assert passes_the_cf_checker("out/dataset.nc")
    tested = own().isel(case=slice(3, None))
    with xr.open_dataset("out/dataset.nc") as made:
        found = pinnlab.load("out")(tested)
        np.testing.assert_allclose(found.potential, made.potential, rtol=1e-4, atol=1e-5)


def test_members_of_a_mesh_are_drawn_scaled_and_laid_on_their_own(tmp_path):
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
        {n: (("case", "node"), values + i, {"units": "1"}) for i, n in enumerate(("before", "T"))},
        {"x": ("node", points[:, 0] * Heat().domain["x"].upper)},
    )
    ds.to_netcdf(tmp_path / "mesh.nc")
    heat = Heat()
    (symbol,) = heat.variables.names
    names = {"inputs": {symbol: "before"}, "outputs": {symbol: "T"}}
    own = {"file": str(tmp_path / "mesh.nc"), "test": 2, **names}
    made = make_filed({"initial": [symbol], "data": own}, heat, None)
    assert {a: len(v) for a, v in made.coordinates().items()} == {"t": 1, "node": NODES}
    model = made.scaled(made.model(GraphOperator(4, 1), {"increment": True}), made.terms()[0])
    np.testing.assert_allclose(model.scales[f"output {symbol}"], [1.0, 1.0], atol=1e-3)


def test_a_grid_stays_a_grid(tmp_path):
    x = np.linspace(0, 1, 10)
    u = np.ones((4, 10, 10))
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
    assert "needs graph or transolver" in mine("network=fno", "~network.kernel").failed()
    assert "set it to false" in mine("model.exact=true").failed()
    assert "coarse" in mine("model.coarse={n: 4}").failed()
    own = Path("configs/experiment/mine.yaml")
    own.write_text(own.read_text() + "classical: {_target_: pinnlab.solvers.classical.Steady}\n")
    assert "set classical to null" in mine().failed()


def test_networks_are_refused_before_anything_is_trained(tmp_path):
    made = members(own(), tmp_path)
    with pytest.raises(PinnlabError, match="fill meshes up"):
        made.model(Transolver(4, 1, 2, 2), {})
    with pytest.raises(PinnlabError, match="needs graph or transolver"):
        made.model(Fno(4, modes=2), {})


def test_an_operator_on_another_mesh_and_what_it_refuses(folder, tmp_path):
    operator = pinnlab.load(folder)
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
