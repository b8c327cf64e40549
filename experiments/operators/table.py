"""Every operator experiment over three seeds, and data with physics against data alone.

    python experiments/operators/table.py [--only darcy_operator] [--seeds 3] [--core 1] [--again]
    python experiments/operators/table.py --physics      # 32 samples, with and without the residual

Each training is a process of its own, as its yaml says, without JAX's cache of compiled programs.
A run that has its row in results.csv (or physics.csv) is not repeated; table.csv and
physics_table.csv are made from them.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pinnlab.core.rows import read_rows, write_rows
from pinnlab.run.apart import run_apart
from pinnlab.run.catalogue import experiments
from pinnlab.run.compose import composed

HERE = Path(__file__).parent
# by experiment: 32 samples on the grid of its test, and a shorter training
FEW = {
    "burgers_physics": ["operator.data={count: 32}", "phases.0.steps=2500"],
    "diffusion_reaction_operator": ["operator.data={count: 32}", "phases.0.steps=3000"],
    "poisson_operator": ["operator.data={count: 32}", "phases.0.steps=1000"],
}
ARMS = {"data": "operator.physics=null", "data and physics": "operator.physics={}"}
MEANS = {"seconds": ".0f", "processor_seconds": ".0f", "one_step": ".3e"}  # and their digits
Row = dict[str, Any]


def run(name: str, seed: int, more: Sequence[str] = ()) -> Row | None:
    """The row of one training, or None if it left no result."""
    done = run_apart(name, [f"seed={seed}", *more])
    if done.summary is None:
        print(f"{name}, seed {seed}: no result\n{done.said}", flush=True)
        return None
    return row_of(name, done.summary) | {"processor_seconds": f"{done.processor_seconds:.1f}"}


def row_of(name: str, found: Mapping[str, Any]) -> Row:
    said, rival = found["operator"], found["operator"].get("classical", {})
    gates = [
        f"{g['metric']} <= {g['at_most']:g}: {'yes' if g['passed'] else 'no'}"
        for g in found["gate"]
    ]
    other = "; ".join(f"{k}: {v:.2e}" for k, v in said.get("resolution", {}).items())
    rollout = said.get("rollout", {})
    return {
        "experiment": name,
        "seed": found["seed"],
        "method": found["method"],
        "relative_l2": f"{found['norms']['relative_l2']:.3e}",
        "one_step": f"{found['norms']['one_step']:.3e}" if "one_step" in found["norms"] else "",
        "floor": f"{max(found['floor'].values()):.1e}" if found["floor"] else "",
        "seconds": found["seconds"]["total"],
        "compile_seconds": found["seconds"]["compile"],
        "processor_seconds": "",
        "steps": found["steps"],
        "parameters": found["parameters"],
        "other_resolutions": other,
        "correlation_time": _time(rollout, "operator"),
        "persistence_time": _time(rollout, "persistence"),
        "drift": "; ".join(
            f"{k}: {v:.1e}" for k, v in rollout.get("drift", {}).items() if v is not None
        ),
        "seconds_per_solve": _short(said.get("seconds_per_solve")),
        "classical_solver": rival.get("solver", ""),
        "classical_error": _short(rival.get("relative_l2")),
        "classical_seconds_per_solve": _short(rival.get("seconds_per_solve")),
        "break_even": _short(said.get("break_even")) or ("never" if rival else ""),
        "gates": "; ".join(gates),
        "cores": found["cores"],
        "precision": found["precision"],
        "jax": found["versions"]["jax"],
    }


def _time(rollout: Mapping[str, Any], who: str) -> str:
    return f"{rollout[who]['correlation_time']:.4g}" if rollout else ""


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.2e}"


def table(rows: Sequence[Row], keys: Sequence[str]) -> list[Row]:
    """A row for each of *keys*, of all its seeds."""
    made = []
    for key in sorted({tuple(row[k] for k in keys) for row in rows}):
        own = [row for row in rows if tuple(row[k] for k in keys) == key]
        errors = [float(row["relative_l2"]) for row in own]
        made.append(
            {
                **dict(zip(keys, key, strict=True)),
                "seeds": len(own),
                "relative_l2": f"{statistics.mean(errors):.2e}",
                "spread": f"{max(errors) - min(errors):.1e}" if len(errors) > 1 else "",
                **{key: _mean(own, key, digits) for key, digits in MEANS.items()},
                **{key: own[-1][key] for key in ("floor", "steps", "parameters")},
                "gates": next((r["gates"] for r in own if ": no" in r["gates"]), own[-1]["gates"]),
            }
        )
    return made


def _mean(rows: Sequence[Row], key: str, digits: str) -> str:
    """Over those rows that have it: tables grow columns."""
    found = [float(row[key]) for row in rows if row.get(key)]
    return f"{statistics.mean(found):{digits}}" if found else ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--core", type=int, help="the processor core that all runs are pinned to")
    parser.add_argument("--again", action="store_true", help="repeat runs that have their row")
    parser.add_argument("--physics", action="store_true", help="the comparison at 32 samples")
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    if given.physics:
        path, made, keys = (
            HERE / "physics.csv",
            HERE / "physics_table.csv",
            ("experiment", "trained_on"),
        )
        jobs = [
            (name, seed, arm, [*FEW[name], change])
            for seed in range(given.seeds)
            for name in given.only or FEW
            for arm, change in ARMS.items()
        ]
    else:
        path, made, keys = HERE / "results.csv", HERE / "table.csv", ("experiment",)
        names = given.only or [
            n for n in experiments() if composed([f"experiment={n}"]).method == "operator"
        ]
        jobs = [(name, seed, "", []) for seed in range(given.seeds) for name in names]
    for name, seed, arm, more in jobs:
        known = (name, str(seed), arm)
        if not given.again and known in map(_key, read_rows(path)):
            continue
        row = run(name, seed, more)
        if row is None:
            continue
        row = {**row, "trained_on": arm} if arm else row
        write_rows(path, [*(r for r in read_rows(path) if _key(r) != known), row])
        write_rows(made, table(read_rows(path), keys))
        print(name, seed, arm, row["relative_l2"], row["seconds"], row["gates"], flush=True)
    print(f"-> {made}")


def _key(row: Row) -> tuple[str, str, str]:
    return row["experiment"], str(row["seed"]), row.get("trained_on", "")


if __name__ == "__main__":
    main()
