"""Test-time tuning on members unlike those of the training: the error before and after 30 s.

    pinnlab experiment=burgers_physics hydra.run.dir=RUN
    python experiments/operators/tuning.py RUN [--seconds 30] [--members 5]

The operator was trained on the residual of Burgers' equation for random initial states with
sigma = 25 and tau = 5. Here they come from sigma = 60 and tau = 7, twice as large and rougher; each
is tuned by itself, in a process of its own so that compiling counts. The truth is the run's
classical solver, refined.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from omegaconf import OmegaConf

import pinnlab
from pinnlab.core.precision import precision
from pinnlab.core.rows import write_rows
from pinnlab.run.build import instantiate
from pinnlab.sampling import GaussianField
from pinnlab.solvers.pairs import Pairs, timed

HERE = Path(__file__).parent


def tuned(run: str, member: int, seconds: float) -> dict[str, Any]:
    """Errors of one member before and after."""
    operator = pinnlab.load(run)
    config: Any = OmegaConf.create(operator.facts["config"])
    family, grid = operator.reading.family, operator.reading.model.grid
    solver = instantiate(config.classical, "classical").refined()
    pairs = Pairs(family, {"u": GaussianField(sigma=60, tau=7, alpha=2)}, solver, grid)
    with precision("float64"):
        inputs = pairs.at(jax.random.split(jax.random.key(member), 1))
        truth = timed(pairs, inputs)[0]["u"][0]
    nodes = family.grid.nodes
    ds = xr.Dataset({"initial_velocity": ("x", np.asarray(inputs["u"][0]))}, {"x": nodes["x"]})
    better = operator.tuned(ds, seconds)
    errors = []
    for one in (operator, better):
        found = one(ds).velocity.transpose("t", "x").values
        errors.append(float(np.linalg.norm(found - truth) / np.linalg.norm(truth)))
    known = better.facts["tuned"]
    return {
        "member": member,
        "before": f"{errors[0]:.3e}",
        "after": f"{errors[1]:.3e}",
        "factor": f"{errors[0] / errors[1]:.1f}",
        "seconds": f"{known['seconds']:.1f}",
        "compile_seconds": f"{known['compile_seconds']:.1f}",
        "steps": known["steps"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--member", type=int, help="one of them, printed as JSON")
    given = parser.parse_args()
    if given.member is not None:
        print(json.dumps(tuned(given.run, given.member, given.seconds)))
        return
    rows = []
    for member in range(given.members):
        command = [sys.executable, __file__, given.run, "--seconds", str(given.seconds)]
        done = subprocess.run([*command, "--member", str(member)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
        write_rows(HERE / "tuning.csv", rows)


if __name__ == "__main__":
    main()
