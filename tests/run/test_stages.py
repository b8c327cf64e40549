"""Stages, and phases of another equation or precision, from the command line."""

import numpy as np
import pytest
import xarray as xr
from commands import TINY, summary

import pinnlab

PHASES = (
    "phases=[{steps: 10, points: 30, set: {diffusivity: 0.3}, precision: float32}, "
    "{steps: 10, points: 30}]"
)
STAGE = "stages=[{network: {width: 8, slope: 2}, phases: [{steps: 120, points: 80}]}]"


def test_a_run_with_a_stage_ends_with_a_better_solution_that_is_stored(shell, tmp_path):
    assert shell(*TINY, PHASES, "hydra.run.dir=one").code == 0
    assert shell(*TINY, PHASES, STAGE, "hydra.run.dir=two").code == 0
    one, two = summary(tmp_path / "one"), summary(tmp_path / "two")
    assert two["norms"]["relative_l2"] < 0.2 * one["norms"]["relative_l2"] < 0.01
    assert (one["steps"], two["steps"]) == (20, 140)
    assert (one["parameters"], two["parameters"]) == (25, 25 + 33)
    assert (one["points"], two["points"]) == (30, 80)  # of the last phase
    sol = pinnlab.load(tmp_path / "two")
    with xr.open_dataset(tmp_path / "two/dataset.nc") as ds:
        np.testing.assert_array_equal(sol("u", t=0.5, x=ds["x"].values), ds["temperature"][2])
    assert shell("resume", "two").code == 0 and summary(tmp_path / "two")["steps"] == 140


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("stages=[{net: 3}]", "key of stages[0] 'net'"),
        ("stages=[{model: {exact: false}}]", "key of stages[0].model 'exact'"),
        ("stages=[3]", "stages[0]: give"),
        ("stages=[{phases: []}]", "stages[0].phases: give at least one"),
        ("stages=[{}];windows=2", "stages: they cannot be combined with windows"),
        ("phases=[{steps: 1, set: {k: 1}}, {steps: 1}]", "parameter (phases.set) 'k'"),
        ("phases=[{steps: 1, set: {diffusivity: 1 kg}}, {steps: 1}]", "kg"),
        ("phases=[{steps: 1, set: {diffusivity: 0.2}}]", "phases: the last one has the equation's"),
        ("phases=[{steps: 1, precision: half}]", "precision (phases) 'half'"),
        ("precision=float32;phases=[{precision: float64}, {}]", "in a run of float32"),
    ],
)
def test_what_is_refused(shell, given, said):
    assert said in shell(*TINY, *given.split(";"), "hydra.run.dir=run").failed()
