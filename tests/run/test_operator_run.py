"""An operator by the command line: scores, a CF dataset, and the same when resumed."""

import contextlib
import io
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from commands import summary
from safetensors.numpy import load_file

from pinnlab.cli import main

CHECKER = Path(sys.executable).with_name("compliance-checker")
TINY = (
    "experiment=burgers_operator",
    "operator.grid={x: 32}",
    "operator.data.grid={x: 16}",
    "+operator.initial.u.modes=6",
    "operator.test=6",
    "operator.resolutions=[2]",
    "network={width: 6, modes: 4, depth: 1, transform: dft}",
    "phases=[{steps: 4, points: 8, minibatch: 4, resample: 2}]",
    "classical={n: 32, steps: 20}",
    "seeds=2",
    "gate=[]",
    "budget=null",
    "quiet=true",
    "figures=false",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run of two seeds."""
    made, before = tmp_path_factory.mktemp("runs"), Path.cwd()
    os.chdir(made)
    try:
        with contextlib.redirect_stdout(io.StringIO()), pytest.raises(SystemExit) as end:
            main([*TINY, "hydra.run.dir=whole"])
        assert not end.value.code
    finally:
        os.chdir(before)
    return made / "whole"


def test_the_summary_tells_errors_bands_resolutions_and_when_it_pays(folder):
    found = summary(folder)
    assert found["method"] == "operator (Fno)" and found["reference"] == "Etdrk4, refined"
    assert (found["steps"], found["points"], found["seeds"]) == (4, 8, 2)
    # lifting, one layer of two maps and four complex waves, projection with a hidden layer
    assert found["parameters"] == (1 * 6 + 6) + (4 * 36 * 2 + 36 + 6) + (6 * 12 + 12) + (12 + 1)
    said = found["operator"]
    assert said["members"] == 6 and said["transform"] == "dft"
    assert list(said["resolution"]) == ["64"] and 0.0 < said["resolution"]["64"] < 100.0
    (bands,) = said["bands"].values()
    assert len(bands["relative_l2"]) == len(bands["edges"]) + 1
    assert said["seconds_per_solve"] > 0.0
    assert said["classical"]["relative_l2"] < found["norms"]["relative_l2"]
    assert said["break_even"] is None or said["break_even"] > 0
    assert found["floor"]["velocity"] < 1e-3 and math.isfinite(found["norms"]["relative_l2"])


def test_the_dataset_follows_cf_and_agrees_with_the_summary(folder):
    path = folder / "dataset.nc"
    done = subprocess.run(
        [CHECKER, "--test=cf:1.11", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "All tests passed!" in done.stdout, done.stdout + done.stderr
    with xr.open_dataset(path) as ds:
        assert ds.sizes == {"instance": 6, "t": 1, "x": 32, "bnds": 2}
        assert float(ds["t"][0]) == 1.0
        u, truth = (
            ds[n].transpose("instance", "t", "x").values for n in ("velocity", "velocity_reference")
        )
        start = ds["initial_velocity"].transpose("instance", "x").values
        errors = np.linalg.norm(u - truth, axis=(1, 2)) / np.linalg.norm(truth, axis=(1, 2))
        np.testing.assert_allclose(ds["velocity_relative_error"], errors, rtol=1e-6)
        norms = summary(folder)["norms"]
        assert norms["relative_l2"] == pytest.approx(np.mean(errors), rel=1e-6)
        # what the equation conserves is kept, by the solver and by the untrained operator
        for values in (u, truth):
            np.testing.assert_allclose(values.mean(axis=(1, 2)), start.mean(axis=1), atol=1e-6)
        assert float(ds["velocity_spread"].max()) > 0.0
        assert np.ptp(start[:, 0]) > 0.0  # members differ


def test_stopped_and_resumed_it_ends_the_same_bit_for_bit(folder, shell, tmp_path):
    assert shell(*TINY[:12], "budget=1 ms", *TINY[13:], "hydra.run.dir=part").code == 0
    found = summary(tmp_path / "part")
    assert found["stopped"] == "budget" and found["steps"] < 4
    assert shell("resume", "part", "budget=null").code == 0
    assert summary(tmp_path / "part")["steps"] == 4
    one, two = (load_file(f / "checkpoint.safetensors") for f in (folder, tmp_path / "part"))
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])
    with (
        xr.open_dataset(folder / "dataset.nc") as a,
        xr.open_dataset(tmp_path / "part/dataset.nc") as b,
    ):
        xr.testing.assert_equal(a, b)


WRONG = {
    "operator.foo=1": r"unknown key of operator 'foo'. There are: data, grid, initial",
    "operator.data={foo: 1}": r"unknown key of operator.data 'foo'. There are: count, grid",
    "operator.initial.q=1": r"unknown variable (operator.initial) 'q'. There are: u",
    "operator.parameters.mu=1": r"unknown parameter (operator.parameters) 'mu'. There are: nu",
    "operator.grid={y: 8}": r"unknown axis (operator.grid) 'y'. There are: t, x",
    "operator.grid={x: 2}": "axis 'x': Fourier needs at least 4 points, got 2",
    "operator.data=null": "operator: nothing to train on",
    "operator.initial.u.alpha=0.3": "GaussianField.alpha=0.3 on 1 axes has no finite variance",
    "method=pinn": "method=pinn: operators, and only they, need 'operator'",
    "operator=null": "method=operator: operators, and only they, need 'operator'",
    "network=mlp": "network: MLP has no 'modes'",
    "network.modes=[2,3]": "network.modes: 2 numbers for 1 axes of the grid",
    "network.transform=dct": "unknown transform (network.transform) 'dct'",
    "model.foo=1": "unknown key of model 'foo'",
    "phases=[{steps: 4, points: 8, minibatch: 3}]": "cannot be divided into minibatches of 3",
}


@pytest.mark.parametrize("change", WRONG)
def test_what_is_wrong_is_said_in_one_line(change, shell, tmp_path):
    key = change.split("=")[0]
    kept = [a for a in TINY if not a.lstrip("+").startswith((f"{key}=", f"{key}."))]
    said = shell(*kept, change, "hydra.run.dir=run").failed()
    assert WRONG[change] in said, said
    assert not (tmp_path / "run/checkpoint.safetensors").exists()


def test_a_network_of_points_is_no_operator(shell):
    kept = [a for a in TINY if not a.startswith("network=")]
    said = shell(*kept, "network=mlp", "~network.modes", "hydra.run.dir=run").failed()
    assert "MLP takes points, not functions on a grid; method=operator needs one of fno" in said
