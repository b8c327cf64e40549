"""Every experiment composes, is built, and runs two steps to a dataset that follows CF."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from omegaconf import OmegaConf

from pinnlab.equations.base import Equation
from pinnlab.run.build import build_equation, build_trainer, instantiate
from pinnlab.run.catalogue import experiments
from pinnlab.run.compose import composed, saved
from pinnlab.run.config import decisive, fingerprint
from pinnlab.run.experiment import run
from pinnlab.run.gates import make_gates

CHECKER = Path(sys.executable).with_name("compliance-checker")
QUICK = (
    *("soil_heat", "burgers", "energy_balance", "poisson", "swing", "vorticity"),
    *("burgers_physics", "kuramoto_sivashinsky_operator"),
)
ALL = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in experiments()
]

PLAIN = ("quiet=true", "figures=false", "certificate=false", "budget=null", "seeds=1")
SMALL = {"width": 6, "depth": 1}
# Coarse, but stable: the one has a layer, the other grows from the start
COARSE = {"burgers": {"n": 401}, "kuramoto_sivashinsky": {"n": 128, "steps": 1000}}


def small(name: str, *more: str):
    """An experiment cut down to two steps of a small network, with a coarse solver beside it."""
    cfg = composed([f"experiment={name}", *PLAIN, *more])
    cfg.output = {axis: n if n == "observed" else 6 for axis, n in cfg.output.items()}
    cfg.phases = [{**cfg.phases[0], "steps": 2, "points": 40}] if cfg.phases else []
    cfg.network.update({"width": 6} if "Waves" in cfg.network._target_ else SMALL)
    cfg.sampler = {"_target_": "pinnlab.sampling.Uniform"}  # others count their points
    cfg.windows = {"count": 2, "nodes": 9} if cfg.windows else None
    cfg.baselines = {}
    if cfg.operator:
        few_members(cfg)
    if cfg.classical:
        known = instantiate(cfg.classical, "classical")
        coarse = COARSE.get(name, {"n": 16, "steps": 20})
        cfg.classical.update({k: v for k, v in coarse.items() if getattr(known, k, None)})
    return cfg


def few_members(cfg):
    """An operator of few waves, trained on two members a step and tested on two, on small grids."""
    cfg.phases = [{"steps": 2, "points": 4, "minibatch": 2}]
    cfg.network.update({"modes": 3} if "modes" in cfg.network else {})
    own = cfg.operator
    own.update({"test": 2, "resolutions": []} if "rollout" not in own else {"test": 2})
    for part in (own, own.get("data") or {}, own.get("physics") or {}):
        for name in ("grid", "inputs"):
            if name in part:
                part[name] = {a: 32 if a == "lon" else 16 for a in part[name]}
    if "rollout" in own:
        own.rollout.update({"steps": 2, "warmup": 1})
        own.data.update({"count": 2, "steps": 2})


def passes_the_cf_checker(path: Path) -> bool:
    done = subprocess.run(
        [CHECKER, "--test=cf:1.11", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "All tests passed!" in done.stdout, done.stdout + done.stderr
    return True


@pytest.mark.parametrize("name", experiments())
def test_it_composes_and_is_built(name, tmp_path):
    cfg = composed([f"experiment={name}"])
    assert cfg.name == name and cfg.title and cfg.summary
    equation = build_equation(cfg)
    assert isinstance(equation, Equation)
    assert make_gates(cfg.gate), "every experiment says what it must reach"
    if cfg.method != "operator":  # whose grid is that of its test
        assert set(cfg.output) == set(equation.domain.axes)
    if cfg.method in ("pinn", "operator"):
        assert build_trainer(cfg).steps > 0


@pytest.mark.parametrize("name", experiments())
def test_what_is_saved_is_the_same_configuration(name, tmp_path):
    cfg = composed([f"experiment={name}"])
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    again = saved(tmp_path)
    assert decisive(again) == decisive(cfg)
    assert fingerprint(again) == fingerprint(cfg)


@pytest.mark.parametrize("name", ALL)
def test_it_runs_two_steps_to_a_cf_dataset(name, tmp_path):
    summary = run(small(name), tmp_path)
    trained = summary["method"].startswith(("pinn", "operator"))
    assert summary["steps"] == (2 if trained else 0)
    assert summary == json.loads((tmp_path / "summary.json").read_text())
    assert passes_the_cf_checker(tmp_path / "dataset.nc")
    with xr.open_dataset(tmp_path / "dataset.nc") as ds:
        assert ds.attrs["experiment"] == name
        assert all(np.isfinite(ds[n]).any() for n in ds.data_vars)


COMPOSED = {n: composed([f"experiment={n}"]) for n in experiments()}
WITH_SOLVER = [n for n, cfg in COMPOSED.items() if cfg.classical and not cfg.operator]


@pytest.mark.parametrize(
    "name", [n if n == "heat" else pytest.param(n, marks=pytest.mark.slow) for n in WITH_SOLVER]
)
def test_its_classical_solver_is_a_method_of_its_own(name, tmp_path):
    summary = run(small(name, "method=classical"), tmp_path)
    assert summary["method"].startswith("classical (")
    assert all(np.isfinite(v) for v in summary["norms"].values())


def test_zarr_holds_the_same_and_figures_are_drawn(tmp_path):
    run(small("burgers"), tmp_path / "netcdf")
    run(small("burgers", "format=zarr", "figures=true"), tmp_path / "zarr")
    with (
        xr.open_dataset(tmp_path / "netcdf/dataset.nc") as one,
        xr.open_zarr(tmp_path / "zarr/dataset.zarr", consolidated=False) as two,
    ):
        xr.testing.assert_equal(one, two)
        for name in one.variables:
            assert one[name].attrs == two[name].attrs
    assert list((tmp_path / "zarr/figures").glob("*.png"))


def test_single_precision_and_several_seeds(tmp_path):
    summary = run(small("poisson", "precision=float32", "seeds=2"), tmp_path)
    assert (summary["precision"], summary["seeds"]) == ("float32", 2)
    with xr.open_dataset(tmp_path / "dataset.nc") as ds:
        spread = next(n for n in ds.data_vars if str(n).endswith("_spread"))
        assert float(ds[spread].max()) > 0
