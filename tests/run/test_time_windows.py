"""Time windows from the command line: interrupted and resumed, stored, read, and refused."""

import os
import signal
import threading

import numpy as np
import pytest
import xarray as xr
from commands import TINY, started, summary
from test_resume import assert_same, steps, wait_for

import pinnlab

WINDOWS = (
    *TINY,
    "windows={count: 3, nodes: 17}",
    "phases=[{steps: 200, points: 30, resample: 20}]",
    "checkpoint_seconds=0",
)


def test_killed_inside_the_second_window_the_end_is_the_same_bit_for_bit(shell, tmp_path):
    process = started(*WINDOWS, "hydra.run.dir=killed", folder=tmp_path)
    try:
        wait_for(lambda: steps(tmp_path / "killed") > 220 or process.poll() is not None, 600)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 220 < steps(tmp_path / "killed") < 600
    assert shell("resume", "killed").code == 0
    assert shell(*WINDOWS, "hydra.run.dir=whole").code == 0
    assert_same(tmp_path / "killed", tmp_path / "whole")
    found = summary(tmp_path / "whole")
    assert (found["steps"], found["parameters"]) == (600, 3 * 25)
    assert found["norms"]["relative_l2"] < 1e-2
    sol = pinnlab.load(tmp_path / "whole")
    with xr.open_dataset(tmp_path / "whole/dataset.nc") as ds:
        np.testing.assert_array_equal(sol("u", t=1.0, x=ds["x"].values), ds["temperature"][-1])


def test_a_signal_in_the_first_window_leaves_the_times_that_it_did_not_reach_empty(shell, tmp_path):
    folder = tmp_path / "run"

    def send() -> None:
        wait_for(lambda: steps(folder) > 0, 600)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send).start()
    assert shell(*WINDOWS, "hydra.run.dir=run", "figures=true").code == 128 + signal.SIGTERM
    found = summary(folder)
    assert found["stopped"] == "signal" and 0 < found["steps"] < 200
    assert found["norms"]["relative_l2"] is None  # of the whole, which there is not
    with xr.open_dataset(folder / "dataset.nc") as ds:
        known = np.isfinite(ds["temperature"]).all("x")
        np.testing.assert_array_equal(known, ds["t"] < 1 / 3)


def test_a_call_with_windows():
    from pinnlab.equations import Heat
    from pinnlab.networks import MLP
    from pinnlab.optimizers import LevenbergMarquardt
    from pinnlab.train import Phase, Trainer

    trainer = Trainer([Phase(LevenbergMarquardt(chunk=4), 4, 20)])
    sol = pinnlab.solve(Heat(), network=MLP(4, 1), trainer=trainer, windows=[0.25, "1"])
    assert sol.facts["steps"] == 8 and sol.to_dataset(t=5, x=5)["temperature"].notnull().all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("windows=0", "windows: give at least 1, got 0"),
        ("windows={count: 3, knots: 5}", "key of windows 'knots'"),
        ("windows={count: 3, times: [0.5]}", "windows: give a number, or the times"),
        ("windows={nodes: 3}", "windows: give a number, or the times"),
        ("windows={count: 2, nodes: {y: 17}}", "axis (windows.nodes) 'y'"),
        ("windows=[0.5, 2.0]", "windows: times must increase between 0 and 1"),
        ("windows=[half]", "windows.times[0]"),
        ("windows=2;infer=[diffusivity]", "each window is a forward problem"),
    ],
)
def test_windows_that_are_refused(shell, given, said):
    assert said in shell(*TINY, *given.split(";"), "hydra.run.dir=run").failed()


def test_an_equation_without_time_has_no_windows(shell):
    said = shell("experiment=poisson", "windows=2", "hydra.run.dir=run", "classical=null").failed()
    assert "windows: Poisson has no time axis" in said
