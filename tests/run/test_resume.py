"""Runs that survive: killed, stopped, diverged or out of space, none loses what it had."""

import errno
import os
import signal
import threading
import time

import numpy as np
import pytest
import xarray as xr
from commands import TINY, started, summary
from safetensors.numpy import load_file

from pinnlab.train import Checkpoint

LONG = (
    *TINY,
    "weights=gradient_norm",
    "sampler._target_=pinnlab.sampling.Adaptive",
    "phases=[{steps: 40, points: 30, resample: 7}, {steps: 800, points: 40, resample: 20}]",
    "checkpoint_seconds=0",
)


def steps(folder) -> int:
    """Of the run's checkpoint; 0 where there is none yet."""
    found = Checkpoint(folder / "checkpoint.safetensors").counters()
    return found["step"] if found else 0


def wait_for(there, seconds=120.0) -> None:
    begun = time.monotonic()
    while not there():
        assert time.monotonic() - begun < seconds
        time.sleep(0.002)


def assert_same(a, b) -> None:
    """Bit for bit: the state of the training, and every value of the dataset."""
    one, two = (load_file(f / "checkpoint.safetensors") for f in (a, b))
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], two[key])
    with xr.open_dataset(a / "dataset.nc") as one, xr.open_dataset(b / "dataset.nc") as two:
        xr.testing.assert_equal(one, two)


def test_killed_in_the_middle_the_end_is_the_same_bit_for_bit(shell, tmp_path):
    process = started(*LONG, "hydra.run.dir=killed", folder=tmp_path)
    try:
        wait_for(lambda: steps(tmp_path / "killed") > 60 or process.poll() is not None)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert 60 < steps(tmp_path / "killed") < 840
    assert not (tmp_path / "killed/dataset.nc").exists()
    assert shell("resume", "killed").code == 0
    assert shell(*LONG, "hydra.run.dir=whole").code == 0
    assert summary(tmp_path / "killed")["steps"] == 840
    assert_same(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_a_readable_part_that_goes_on(shell, tmp_path, name):
    number, folder = getattr(signal, name), tmp_path / "run"

    def send() -> None:
        wait_for(lambda: steps(folder) > 0)
        os.kill(os.getpid(), number)

    threading.Thread(target=send).start()
    assert shell(*LONG, "hydra.run.dir=run").code == 128 + number
    found = summary(folder)
    assert (found["stopped"], found["signal"]) == ("signal", number)
    assert 0 < found["steps"] == steps(folder) < 840
    with xr.open_dataset(folder / "dataset.nc") as ds:
        assert np.isfinite(ds["temperature"]).all()
    assert signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL)
    assert shell("resume", "run", "budget=1 ms").code == 0  # spent already
    assert summary(folder)["stopped"] == "budget"


def test_stopped_by_its_budget_a_run_goes_on_with_a_larger_one(shell, tmp_path):
    short = [*LONG[:-2], "phases=[{steps: 60, points: 30, resample: 7}]", "hydra.run.dir=run"]
    assert shell(*short, "budget=1 ms").code == 0
    assert summary(tmp_path / "run")["stopped"] == "budget"
    assert summary(tmp_path / "run")["steps"] < 60
    said = shell("resume", "run", "seed=3").failed()
    assert "key to change" in said and "budget" in said
    assert shell(*short).code == 0  # the same command and folder, without the bound
    assert summary(tmp_path / "run")["stopped"] == "steps"
    assert shell(*short[:-1], "hydra.run.dir=whole").code == 0
    assert_same(tmp_path / "run", tmp_path / "whole")
    log = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert len(log) == len((tmp_path / "whole/log.jsonl").read_text().splitlines())


def test_a_divergence_names_the_term_and_keeps_the_last_good_state(shell, tmp_path):
    descent = ("optimizer=adam", "optimizer._target_=optax.sgd", "optimizer.learning_rate=1e200")
    called = shell(*TINY, *descent, "hydra.run.dir=run")
    said = called.failed(code=3)
    assert "diverged between steps 0 and 4" in said and ": residual is not finite" in said
    assert summary(tmp_path / "run")["stopped"] == "diverged"
    with xr.open_dataset(tmp_path / "run/dataset.nc") as ds:
        assert np.isfinite(ds["temperature"]).all()


def test_a_disk_that_fills_up_loses_no_checkpoint(shell, tmp_path, monkeypatch):
    real, seen = os.fsync, []

    def fsync(handle: int) -> None:
        seen.append(steps(tmp_path / "run"))
        if seen[-1] >= 80:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    short = (*LONG, "phases=[{steps: 120, points: 30, resample: 20}]")
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        said = shell(*short, "hydra.run.dir=run").failed()
    assert "checkpoint.safetensors" in said and "No space left" in said
    assert steps(tmp_path / "run") == 80
    assert shell("resume", "run").code == 0
    assert shell(*short, "hydra.run.dir=whole").code == 0
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_too_little_space_is_said_before_the_training(shell, tmp_path, monkeypatch):
    free = type("Free", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: free)
    assert "1 MB free" in shell(*TINY, "hydra.run.dir=run").failed()
    assert [p.name for p in (tmp_path / "run").iterdir()] == []
