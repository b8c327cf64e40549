"""Every trained experiment over three seeds, with the classical time to the same error.

    python experiments/accuracy/table.py [--only poisson heat] [--again] [--core 1]
    python experiments/accuracy/table.py --merge         # table.csv anew from what is there

Each training is a process of its own on one core, ``pinnlab experiment=NAME seed=K`` as its yaml
says, without JAX's cache of compiled programs, so that compiling counts each time. Runs come one
after the other: all experiments with seed 0, then other seeds, short ones first each time. A row of
results.csv is written when a run ends, and a run that has its row is not repeated. After each
training the classical ladder is climbed, in a process of its own too, until its error is at most
the network's: classical.csv, where the yaml's own solver stands too. The table is made from both.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from pinnlab.core.rows import read_rows, write_rows
from pinnlab.run.apart import completed, run_apart
from pinnlab.run.automatic import TOLERANCES
from pinnlab.run.build import quantity
from pinnlab.run.catalogue import experiments
from pinnlab.run.compose import composed

HERE = Path(__file__).parent
RESULTS, CLASSICAL, TABLE = HERE / "results.csv", HERE / "classical.csv", HERE / "table.csv"
SEEDS = (0, 1, 2)
UNBOUNDED = 100.0  # seconds that a training may take whose yaml sets no budget, for the order
FEATURES = {
    "Etdrk4": "Fourier modes",
    "Placed": "frozen features",
    "Lines": "Chebyshev polynomials",
    "Steady": "Chebyshev polynomials",
}
Row = dict[str, Any]


# ---------------------------------------------------------------- what is run


def chosen(names: Sequence[str]) -> dict[str, DictConfig]:
    """The configurations of the experiments that train a network or choose a way themselves."""
    every = {name: composed([f"experiment={name}"]) for name in names or experiments()}
    return {n: cfg for n, cfg in every.items() if cfg.method in ("pinn", *TOLERANCES)}


def jobs(configs: Mapping[str, DictConfig]) -> list[tuple[str, int]]:
    """(experiment, seed) in the order of running; what draws no random numbers has one seed."""
    found = []
    for name, cfg in configs.items():
        auto = cfg.method != "pinn"
        seconds = 0.0 if auto else cfg.seeds * _budget(cfg)
        found += [(seed > 0, seconds, name, seed) for seed in (SEEDS[:1] if auto else SEEDS)]
    return [(name, seed) for _, _, name, seed in sorted(found)]


def _budget(cfg: DictConfig) -> float:
    return UNBOUNDED if cfg.budget is None else float(quantity(cfg.budget, "s", "budget"))


def trained(name: str, seed: int, cfg: DictConfig, patience: float) -> Row | None:
    """The row of one run, or None if it left no result."""
    budget = [] if cfg.budget is None else [f"budget={patience * _budget(cfg)} s"]
    done = run_apart(name, [f"seed={seed}", *budget])
    if done.summary is None:
        print(f"{name}, seed {seed}: no result\n{done.said}", flush=True)
        return None
    if cfg.method == "pinn" and cfg.baselines:
        write_classical(name, baselines(done.summary))
    spent = {"processor_seconds": f"{done.processor_seconds:.1f}"}
    return row_of(name, done.summary, cfg) | spent


def row_of(name: str, found: Mapping[str, Any], cfg: DictConfig) -> Row:
    metric = "relative_l2" if "relative_l2" in found["norms"] else "rmse_held_out"
    said = found.get("estimated_error") or {}
    estimated, honesty = said.get("relative_l2", {}), said.get("honesty", {})
    return {
        "experiment": name,
        "seed": found["seed"],
        "equation": found["equation"],
        "method": method_of(found, cfg),
        "metric": metric,
        "error": f"{found['norms'][metric]:.3e}",
        "floor": f"{max(found['floor'].values()):.1e}" if found["floor"] else "",
        "seconds": found["seconds"]["total"],
        "compile_seconds": found["seconds"]["compile"],
        "processor_seconds": "",
        "steps": found["steps"],
        "points": found["points"],
        "parameters": found["parameters"],
        "estimated": f"{max(estimated.values()):.2e}" if estimated else "",
        "honesty": f"{farthest(honesty.values()):.2f}" if honesty else "",
        "ended_by": found["stopped"],
        "cores": found["cores"],
        "device": found["device"],
        "precision": found["precision"],
        "jax": found["versions"]["jax"],
    }


def method_of(found: Mapping[str, Any], cfg: DictConfig) -> str:
    if cfg.method != "pinn":
        solver = found["method"].split("(")[1].rstrip(")")
        return f"{FEATURES[solver]} ({solver})"
    network, optimizer = (part["_target_"].split(".")[-1] for part in (cfg.network, cfg.optimizer))
    by = cfg.optimizer.get("factorization")
    text = f"{network} + {optimizer}" + (f" ({by})" if by else "")
    text += f", {1 + len(cfg.stages)} stages" if cfg.stages else ""
    return text + (f", {cfg.windows['count']} windows" if cfg.windows else "")


def farthest(ratios: Iterable[float]) -> float:
    """The ratio farthest from one, up or down."""
    return max(ratios, key=lambda h: abs(math.log(h)) if h > 0 else math.inf)


# ---------------------------------------------------------------- the classical way


def baselines(found: Mapping[str, Any]) -> list[Row]:
    """Other ways to held-out values, as the run itself measured them, quickest first."""
    rows = [
        {"solver": name, "seconds": b["seconds"], "error": b["rmse_held_out"]}
        for name, b in found["baselines"].items()
    ]
    return sorted(rows, key=lambda row: row["seconds"])


def climbed(name: str, target: float) -> list[Row]:
    """The yaml's solver, and the ladder up to the first rung whose error is at most *target*."""
    ended = completed([sys.executable, str(HERE / "climb.py"), name, f"{target}"])
    if ended.returncode:
        print(f"{name}, classical: {ended.stderr[-500:]}", flush=True)
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]


def write_classical(name: str, rungs: Sequence[Row]) -> None:
    """Put the rungs of an experiment into their file, in place of older ones."""
    rows = [row for row in read_rows(CLASSICAL) if row["experiment"] != name]
    for rung in rungs:
        known = "error" in rung
        rows.append(
            {
                "experiment": name,
                "solver": rung["solver"],
                "error": f"{rung['error']:.3e}" if known else "",
                "seconds": f"{rung['seconds']:.3f}" if known else "",
            }
        )
    write_rows(CLASSICAL, rows)


def lacking(name: str, cfg: DictConfig, target: float) -> bool:
    """Whether the rungs known so far leave open when the error falls to *target*.

    An experiment that learns a parameter has none: the classical solver would have to be told it.
    """
    if cfg.method != "pinn" or cfg.infer:
        return False
    known = [row for row in read_rows(CLASSICAL) if row["experiment"] == name]
    ended = any(row["solver"] == "end" for row in known)
    return not ended and not any(float(row["error"]) <= target for row in known)


# ---------------------------------------------------------------- the table


def table() -> list[Row]:
    """A row for each experiment, of all its seeds."""
    every, classical = list(runs().values()), read_rows(CLASSICAL)
    made = []
    for name in sorted({row["experiment"] for row in every}):
        own = [row for row in every if row["experiment"] == name]
        errors, last = [float(row["error"]) for row in own], own[-1]
        estimated = [float(row["estimated"]) for row in own if row["estimated"]]
        honesty = [float(row["honesty"]) for row in own if row["honesty"]]
        rungs = [r for r in classical if r["experiment"] == name and r["error"]]
        made.append(
            {
                "experiment": name,
                "equation": last["equation"],
                "method": last["method"],
                "seeds": len(own),
                "metric": last["metric"],
                "error": f"{statistics.mean(errors):.2e}",
                "spread": f"{max(errors) - min(errors):.1e}" if len(errors) > 1 else "",
                "floor": last["floor"],
                "seconds": _mean(own, "seconds"),
                "processor_seconds": _mean(own, "processor_seconds"),
                "steps": _mean(own, "steps", 0),
                "points": last["points"],
                "parameters": last["parameters"],
                "estimated": f"{statistics.mean(estimated):.1e}" if estimated else "",
                "honesty": f"{farthest(honesty):.2f}" if honesty else "",
                **_faster(rungs, statistics.mean(errors), statistics.mean(_of(own, "seconds"))),
            }
        )
    return made


def _faster(rungs: Sequence[Row], error: float, seconds: float) -> Row:
    """The quickest way that is as good as the network; the best, without time, if none is."""
    row = dict.fromkeys(("classical_solver", "classical_error", "classical_seconds", "faster"), "")
    if not rungs:
        return row
    good = [r for r in rungs if float(r["error"]) <= error]
    key = "seconds" if good else "error"
    found = min(good or rungs, key=lambda r: float(r[key]))
    row |= {"classical_solver": found["solver"], "classical_error": f"{float(found['error']):.1e}"}
    if not good:
        return row | {"faster": "network"}
    time = float(found["seconds"])
    faster = "classical" if time < seconds else "network"
    return row | {"classical_seconds": f"{time:.2f}", "faster": faster}


def _of(rows: Sequence[Row], key: str) -> list[float]:
    return [float(row[key]) for row in rows]


def _mean(rows: Sequence[Row], key: str, digits: int = 1) -> str:
    return f"{statistics.mean(_of(rows, key)):.{digits}f}"


def runs() -> dict[tuple[str, int], Row]:
    """What has its row; other commands may have added theirs."""
    return {(row["experiment"], int(row["seed"])): row for row in read_rows(RESULTS)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--again", action="store_true", help="repeat runs that have their row")
    parser.add_argument("--core", type=int, help="the processor core that all runs are pinned to")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on the yaml's budgets")
    parser.add_argument("--merge", action="store_true", help="run nothing, make the table anew")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    configs = {} if given.merge else chosen(given.only)
    for name, seed in jobs(configs):
        if given.again or (name, seed) not in runs():
            row = trained(name, seed, configs[name], given.patience)
            if row is None:
                continue
            write_rows(RESULTS, list((runs() | {(name, seed): row}).values()))
            shown = ("experiment", "seed", "error", "seconds", "processor_seconds", "ended_by")
            print("  ".join(str(row[key]) for key in shown), flush=True)
        target = statistics.mean(float(r["error"]) for (of, _), r in runs().items() if of == name)
        if lacking(name, configs[name], target):
            write_classical(name, climbed(name, target))
        write_rows(TABLE, table())
    write_rows(TABLE, table())
    print(f"-> {TABLE}")


if __name__ == "__main__":
    main()
