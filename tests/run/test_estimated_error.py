"""A run states its error without the reference: in the summary, the dataset, and what it prints."""

import io

import jax
import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from pinnlab.equations import SoilHeat
from pinnlab.models import Model, NetworkReading
from pinnlab.networks import MLP
from pinnlab.run.certificate import estimate
from pinnlab.run.certificate import said as said_of
from pinnlab.run.compose import composed
from pinnlab.run.experiment import run
from pinnlab.run.methods import Outcome
from pinnlab.run.tell import tell
from pinnlab.run.verify import _row, _worst

PLAIN = ["quiet=true", "figures=false", "budget=null", "network=mlp"]
PLAIN += ["network.width=8", "network.depth=1", "optimizer=levenberg_marquardt"]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A potential after a few steps, which is wrong by some per cent."""
    folder = tmp_path_factory.mktemp("run")
    cfg = composed(["experiment=poisson", *PLAIN, "steps=4", "output={x: 9, y: 9}"])
    cfg.phases[0].points, cfg.classical = 60, None
    return run(cfg, folder), folder


def test_the_estimate_is_near_the_measured_error(done):
    summary, folder = done
    found = summary["estimated_error"]
    measured = summary["norms"]["relative_l2_potential"]
    assert measured > 1e-6, "an error to be found"
    assert found["relative_l2"]["potential"] == pytest.approx(measured, rel=0.1)
    assert found["honesty"]["potential"] == pytest.approx(1.0, abs=0.1)
    with xr.open_dataset(folder / "dataset.nc") as ds:
        there = ds["potential_estimated_error"]
        assert there.attrs["units"] == "1" and "estimated" in there.attrs["long_name"]
        assert "potential_estimated_error" in ds["potential"].attrs["ancillary_variables"]
        miss = np.linalg.norm(there - ds["potential_error"])
        assert miss < 0.1 * np.linalg.norm(ds["potential_error"]), "its sign and its place"


def said(summary, folder):
    out = Console(file=io.StringIO(), width=200)
    tell(summary, folder, out)
    return out.file.getvalue()


def test_it_is_told_and_goes_into_the_table(done):
    summary, folder = done
    assert "estimated from the residual alone: relative L2 potential" in said(summary, folder)
    row = _row("poisson", summary["gate"][0], summary)
    assert float(row["estimated"]) > 0 and float(row["honesty"]) == pytest.approx(1.0, abs=0.1)
    without = {**summary, "estimated_error": {"reason": "three space axes"}}
    assert "no estimate of the error: three space axes" in said(without, folder)
    assert _row("poisson", summary["gate"][0], without)["honesty"] == ""


def test_the_worst_honesty_is_the_farthest_from_one():
    assert _worst([0.9, 1.5, 0.5]) == 0.5
    assert _worst([0.9, 3.0, 0.5]) == 3.0


def test_what_cannot_be_estimated_says_why_and_it_can_be_switched_off():
    """Data stand for the conditions of this one; nothing is computed."""
    cfg = composed(["experiment=soil_heat"])
    equation, model = SoilHeat(), Model(MLP(4, 1))
    params = {"network": model.init(jax.random.key(0), equation), "equation": {}}
    reading = NetworkReading(equation, model, params)
    outcome = Outcome(equation, reading, "pinn", {}, 0.0)
    why = estimate(cfg, outcome, {})
    assert why == "'T' has no initial condition; data stand for it"
    assert said_of(why, outcome, {}) == {"reason": why}
    cfg.certificate = False
    assert estimate(cfg, outcome, {}) is None
