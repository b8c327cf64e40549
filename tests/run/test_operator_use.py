"""A trained operator in use: datasets, files, tuning, and programs for JAX alone."""

import contextlib
import hashlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
import xarray as xr

import pinnlab
from pinnlab.cli import main
from pinnlab.core.domain import Axis, Domain
from pinnlab.core.grid import FiniteDifference, Grid
from pinnlab.core.precision import precision
from pinnlab.core.scores import relative_l2
from pinnlab.equations import Poisson
from pinnlab.equations.family import Family
from pinnlab.io import write_netcdf
from pinnlab.models.operator import OperatorModel
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.networks import MLP, Fno
from pinnlab.optimizers import Gradient, LevenbergMarquardt
from pinnlab.run import tuning
from pinnlab.run.operatorsolution import OperatorSolution
from pinnlab.sampling import GaussianField
from pinnlab.solvers.classical import Steady
from pinnlab.solvers.pairs import Pairs
from pinnlab.terms import Problem
from pinnlab.terms.instances import INPUT, PhysicsTerm
from pinnlab.train import Phase, Trainer

CHECKER = Path(sys.executable).with_name("compliance-checker")
TINY = (
    "experiment=burgers_operator",
    "operator={initial: {u: {sigma: 25, tau: 5, alpha: 2, modes: 6}}, grid: {x: 16}, test: 3}",
    "operator.data.grid={x: 16}",
    "operator.resolutions=[]",
    "network={width: 6, modes: 4, depth: 1, transform: dft}",
    "phases=[{steps: 20, points: 8}]",
    "classical={n: 32, steps: 20}",
    "seeds=2",
    "gate=[]",
    "quiet=true",
    "figures=false",
)
X = np.arange(16) / 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run of the command line: two seeds of the end of time of Burgers' equation."""
    made = tmp_path_factory.mktemp("burgers")
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(sys, "argv", ["pinnlab"])
        with pytest.raises(SystemExit) as end:
            main([*TINY, f"hydra.run.dir={made}"])
    assert not end.value.code
    return made


@pytest.fixture(scope="module")
def operator(folder) -> OperatorSolution:
    return pinnlab.load(folder)


def states(n: int = 16, members: int = 3, **attributes: str) -> xr.Dataset:
    """Sines of different height and place."""
    x = np.arange(n) / n
    values = [(1 + i) * np.sin(2 * np.pi * (x - 0.1 * i)) for i in range(members)]
    return xr.Dataset(
        {"initial_velocity": (("member", "x"), np.stack(values), attributes)},
        {"x": x, "member": [10 * (1 + i) for i in range(members)]},
    )


def test_a_dataset_in_gives_a_dataset_out_that_passes_the_cf_checker(operator, tmp_path):
    found = operator(states())
    assert found.velocity.dims == ("member", "t", "x") and found.velocity_spread.shape == (3, 1, 16)
    np.testing.assert_array_equal(found.member, [10, 20, 30])
    np.testing.assert_allclose(found.initial_velocity, states().initial_velocity, atol=1e-12)
    each = operator.reading.members({"u": states().initial_velocity.values})["u"]
    np.testing.assert_allclose(found.velocity[:, 0], each.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.velocity_spread[:, 0], each.std(axis=0), rtol=1e-3, atol=1e-6)
    assert found.attrs["license"] == "CC-BY-4.0"
    write_netcdf(found, tmp_path / "found.nc")
    command = [CHECKER, "--test=cf:1.11", "--criteria=strict", tmp_path / "found.nc"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_one_member_needs_no_dimension_of_members(operator):
    one = operator(states().isel(member=1, drop=True))
    assert one.velocity.dims == ("t", "x")
    many = operator(states()).isel(member=1)
    np.testing.assert_allclose(one.velocity, many.velocity, rtol=1e-5, atol=1e-6)


def test_convertible_units_are_converted(operator):
    percent = states(units="%")
    percent["initial_velocity"] = 100.0 * percent.initial_velocity
    percent.initial_velocity.attrs["units"] = "%"
    np.testing.assert_allclose(
        operator(percent).velocity, operator(states()).velocity, rtol=1e-5, atol=1e-6
    )


def test_other_resolutions_of_the_dataset_and_of_the_answer(operator):
    """An input without waves above the network's is the same function on every grid."""
    coarse, fine = operator(states()), operator(states(32))
    assert fine.velocity.shape == (3, 1, 32)
    between = operator(states(), {"x": 32})
    np.testing.assert_allclose(between.velocity, fine.velocity, rtol=0, atol=1e-4)
    np.testing.assert_allclose(between.initial_velocity, fine.initial_velocity, atol=1e-6)
    assert np.abs(fine.velocity[..., ::2].values - coarse.velocity.values).max() < 0.3


def broken(change: str) -> xr.Dataset:
    ds = states(units="1")
    if change == "name":
        return ds.rename(initial_velocity="speed")
    if change == "units":
        ds.initial_velocity.attrs["units"] = "m s-1"
    elif change == "nan":
        ds.initial_velocity[1, 3] = np.nan
    elif change == "dims":
        return ds.expand_dims(z=2)
    elif change == "coordinates":
        return ds.assign_coords(x=2 * ds.x)
    elif change == "array":
        return ds.initial_velocity
    return ds


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("name", ("initial_velocity|speed", "dataset")),
        ("units", ("m s-1", "initial_velocity")),
        ("nan", ("initial_velocity", "1 values that are missing", r"\(1, 3\)")),
        ("dims", ("z, member, x", "count the members")),
        ("coordinates", ("'x' has 16 values", "Fourier takes 16 nodes")),
        ("array", ("DataArray", "xarray.Dataset", "initial_velocity")),
    ],
)
def test_what_does_not_fit_is_one_clear_line(operator, change, words):
    with pytest.raises(pinnlab.PinnlabError) as error:
        operator(broken(change))
    assert "\n" not in str(error.value)
    for word in words:
        assert error.match(word)


def test_the_file_says_what_it_is_and_comes_back_identical(operator, tmp_path):
    assert operator.inputs == {"initial_velocity": "1"}
    assert operator.facts["license"] == "CC-BY-4.0"
    assert "steps: 20" in operator.facts["config"]
    assert operator.reading.model.grid.shape == (16,)
    mean, size = operator.reading.model.scales["input u"]
    assert abs(mean) < 5 and size > 0
    operator.save(tmp_path / "operator.safetensors")
    again = pinnlab.load(tmp_path / "operator.safetensors")
    assert again.facts == operator.facts and again.reading.seeds == 2
    one, two = again(states()), operator(states())
    xr.testing.assert_identical(one.drop_attrs(deep=False), two.drop_attrs(deep=False))


ALONE = """
import json, pathlib, sys
sys.modules["pinnlab"] = None  # importing it would be an error
import jax.export, numpy as np
head = json.loads(pathlib.Path("burgers.json").read_text())
program = jax.export.deserialize(bytearray(pathlib.Path(head["file"]).read_bytes()))
mean, spread = program.call(np.load("u.npy").astype(head["dtype"]))
assert not any(m.startswith(("pinnlab.", "flax")) for m in sys.modules)
np.save("mean.npy", mean)
np.save("spread.npy", spread)
"""


def test_the_exported_program_runs_without_pinnlab(folder, operator, shell, tmp_path):
    pytest.importorskip("flatbuffers")
    called = shell("export", str(folder), "burgers.stablehlo")
    assert called.code == 0, called.err
    assert called.out.split() == ["burgers.stablehlo", "burgers.json"]
    head = json.loads(Path("burgers.json").read_text())
    assert head["sha256"] == hashlib.sha256(Path(head["file"]).read_bytes()).hexdigest()
    assert [(a["name"], a["units"], a["shape"]) for a in head["inputs"]] == [
        ("initial_velocity", "1", ["n", 16])
    ]
    assert [(a["name"], a["dimensions"]) for a in head["outputs"]] == [
        ("velocity", ["instance", "x"]),
        ("velocity_spread", ["instance", "x"]),
    ]
    x, end = head["input_coordinates"][0], head["output_coordinates"][0]
    np.testing.assert_allclose(x["values"], X)
    assert end["name"] == "t" and end["values"] == [1.0]
    assert head["license"] == "CC-BY-4.0" and head["platforms"] == ["cpu", "cuda", "tpu"]
    np.save("u.npy", states().initial_velocity.values)
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wanted = operator(states()).velocity[:, 0].values
    assert np.abs(np.load("mean.npy") - wanted).max() <= 1e-6 * np.abs(wanted).max()
    assert np.load("spread.npy").shape == (3, 16)


def test_only_operators_are_exported(shell, tmp_path):
    trainer = Trainer([Phase(Gradient(optax.adam(1e-3)), 1, 10)])
    solution = pinnlab.solve(Poisson(), network=MLP(4, 1), trainer=trainer)
    solution.save(tmp_path / "poisson.safetensors")
    assert "no trained operator" in shell("export", "poisson.safetensors").failed()


# ------------------------------------------------------------------ tuning

LINE = Domain(x=Axis(0, 1))
NODES = Grid(LINE, {"x": (FiniteDifference(4), 32)})
FAMILY = Family(Poisson(domain=LINE, source=1.0), NODES, parameters=("source",))
SMOOTH = GaussianField(sigma=60, tau=3, alpha=2, modes=8, boundary="neumann")
ROUGH = GaussianField(sigma=200, tau=20, alpha=1.5, modes=12, boundary="neumann")


def pairs(random: GaussianField) -> Pairs:
    return Pairs(FAMILY, {"source": random}, Steady(48), NODES)


@pytest.fixture(scope="module")
def physical() -> OperatorSolution:
    """An operator of the source of a Poisson equation, trained by its residual alone."""
    model = OperatorModel(Fno(width=8, depth=2, modes=6), FAMILY.names, NODES)

    def drawn(key, n, step):
        return {INPUT + name: v for name, v in pairs(SMOOTH).sample(key, n).items()}

    with precision("float32"):
        some = jax.jit(lambda: pairs(SMOOTH).sample(jax.random.key(0), 64))()
        problem = Problem(
            FAMILY.equation, model.scaled(some, {}), [PhysicsTerm(FAMILY, NODES, drawn)]
        )
        phase = Phase(Gradient(optax.adam(1e-2)), 300, points=16, resample=100)
        done = Trainer([phase], fresh=4).fit(problem)
    params = jax.tree.map(np.asarray, done.params)
    return OperatorSolution(OperatorReading(FAMILY, problem.model, params), {"license": "CC0-1.0"})


def error(solution: OperatorSolution, ds: xr.Dataset, grid: dict | None = None) -> float:
    """Against the classical solution on 48 Chebyshev nodes."""
    found = solution(ds, grid).potential.values[None]
    made = replace(pairs(ROUGH), grid=solution.reading.model.grid) if grid else pairs(ROUGH)
    with precision("float64"):
        truth = jax.jit(made.solve)({"source": ds.source.values[None]})["u"]
    return float(relative_l2(found, np.asarray(truth))[0])


@pytest.fixture(scope="module")
def strange() -> xr.Dataset:
    """A source that is rougher and larger than any of the training."""
    with precision("float64"):
        made = jax.jit(lambda: pairs(ROUGH).sample(jax.random.key(1), 1))()
    return xr.Dataset({"source": (("x",), np.asarray(made["source"])[0])})


def test_tuning_divides_the_error_of_a_strange_member_by_five(physical, strange):
    before = error(physical, strange)
    tuned = physical.tuned(strange, "10 min", steps=300)
    facts = tuned.facts["tuned"]
    assert before > 0.02 and error(tuned, strange) < before / 5
    assert facts["loss_after"] < 0.1 * facts["loss_before"] and facts["steps"] == 300
    assert facts["grid"] == {"x": 32} and 0 < facts["compile_seconds"] < facts["seconds"]
    assert facts["inputs"]["source"]["mean"] == pytest.approx(float(strange.source.mean()))
    assert tuned.facts["license"] == "CC0-1.0" and physical.reading.dtype == "float32"
    assert error(physical, strange) == before  # the one it came from is as it was


def test_the_residual_may_stand_on_a_finer_grid_and_with_another_optimizer(physical, strange):
    before = error(physical, strange)
    tuned = physical.tuned(strange, 600, {"x": 63}, 12, LevenbergMarquardt(chunk=4))
    assert tuned.facts["tuned"]["grid"] == {"x": 63}
    assert tuned(strange, {"x": 63}).potential.shape == (63,)
    assert error(tuned, strange, {"x": 63}) < before / 5


def test_every_seed_goes_on_from_its_own_parameters(physical, strange):
    """A rate of zero leaves each as it was."""
    reading = physical.reading
    both = jax.tree.map(lambda a: np.stack([a, 1.1 * a]), reading.params)
    two = OperatorSolution(replace(reading, params=both, seeds=2))
    still = Gradient(optax.sgd(0.0), chunk=1)
    with precision("float64"):
        problem = tuning._problem(two.reading, two.read(strange)[0], NODES, "mean")
        done = Trainer([Phase(still, 1, 1)], seeds=2, fresh=1).fit(problem)
    for found, wanted in zip(
        jax.tree.leaves(done.params["network"]), jax.tree.leaves(both["network"]), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


def test_time_that_is_up_ends_the_tuning(physical, strange):
    tuned = physical.tuned(strange, 1e-3, optimizer=Gradient(optax.adam(1e-3), chunk=2))
    assert tuned.facts["tuned"]["steps"] <= 2
    assert tuned.facts["tuned"]["loss_after"] <= tuned.facts["tuned"]["loss_before"]


def test_what_cannot_be_tuned_is_said(physical, strange, operator):
    with pytest.raises(pinnlab.PinnlabError, match=r"end of 't' alone.*operator.grid"):
        operator.tuned(states().isel(member=0))
    with pytest.raises(pinnlab.PinnlabError, match="2 members"):
        physical.tuned(xr.concat([strange, strange], "member"))
    with pytest.raises(pinnlab.PinnlabError, match="seconds"):
        physical.tuned(strange, -1)
    loose = replace(physical.reading, model=replace(physical.reading.model, exact=False))
    with pytest.raises(pinnlab.PinnlabError, match="exact"):
        OperatorSolution(loose).tuned(strange)
