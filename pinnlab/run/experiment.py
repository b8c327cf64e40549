"""One experiment from its configuration to its folder of results."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from pinnlab.core.errors import DivergenceError, PinnlabError, choose
from pinnlab.core.precision import precision
from pinnlab.io import (
    check_writable,
    read_dataset,
    write_json,
    write_netcdf,
    write_text,
    write_zarr,
)
from pinnlab.models.storage import save_reading
from pinnlab.run import certificate, machine
from pinnlab.run.automatic import automatic
from pinnlab.run.build import build_equation, instantiate
from pinnlab.run.compose import saved
from pinnlab.run.config import decisive, fingerprint
from pinnlab.run.gates import Gate, judge, make_gates
from pinnlab.run.methods import Outcome, classical, pinn
from pinnlab.run.operators import operator
from pinnlab.run.outputs import Result, dataset, readable
from pinnlab.run.prepare import make_task
from pinnlab.run.reference import Reference, relative_l2
from pinnlab.run.task import Task
from pinnlab.run.tell import tell
from pinnlab.solvers.automatic import TOLERANCES
from pinnlab.train import JsonLines

METHODS = {
    "pinn": pinn,
    "operator": operator,
    "classical": classical,
    **dict.fromkeys(TOLERANCES, automatic),
}
FORMATS = {"netcdf": ("dataset.nc", write_netcdf), "zarr": ("dataset.zarr", write_zarr)}


def run(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    """Run *cfg* in *folder*, continuing what stands there; return the summary.

    The folder is left with config.yaml, log.jsonl, checkpoint.safetensors,
    solution.safetensors, dataset.nc (or .zarr), summary.json and figures/. A training that was
    stopped or diverged leaves the same, made of its last good state.

    Raises:
        PinnlabError: anything the user can put right, before the training where possible.
        DivergenceError: after the partial result was written.
    """
    print(f"run folder: {folder}", flush=True)
    check_writable(folder, need_bytes=20_000_000)
    check_same(cfg, folder)
    choose("method", cfg.method, METHODS)
    choose("format", cfg.format, FORMATS)
    config = OmegaConf.to_yaml(cfg, resolve=True)
    machine.use_compilation_cache()
    with precision(cfg.precision):
        equation = build_equation(cfg)
        task = make_task(cfg, equation, lambda: write_text(folder / "config.yaml", config))
        gates = make_gates(cfg.gate)
        for gate in gates:
            choose("metric (gate)", gate.metric, _metrics(cfg, task))
        baselines = _baselines(cfg, task)
        outcome = METHODS[cfg.method](cfg, folder, task)
    result = _result(outcome, task)
    metrics = measure(result, task.reference)
    estimated = certificate.estimate(cfg, outcome, task.coordinates)
    if isinstance(estimated, certificate.Certificate):
        result.estimated = estimated.error
    summary = _summary(cfg, config, outcome, metrics, task.reference, gates)
    summary["estimated_error"] = certificate.said(estimated, outcome, metrics)
    summary["baselines"] = baselines
    truth = task.observed.truth if task.observed is not None else {}
    for name in truth.keys() & summary["learned"].keys():
        summary["learned"][name]["truth"] = truth[name]
    _write(cfg, folder, config, result, outcome, summary)
    tell(summary, folder)
    if isinstance(outcome.error, DivergenceError):
        raise outcome.error
    return summary


def check_same(cfg: DictConfig, folder: Path) -> None:
    """Raise :class:`PinnlabError` if *folder* holds a run of another configuration."""
    if not (folder / "config.yaml").is_file():
        return
    there, here = decisive(saved(folder)), decisive(cfg)
    if there != here:
        keys = [key for key in here if here[key] != there.get(key)]
        raise PinnlabError(
            f"'{folder}' holds a run of another configuration ({', '.join(keys)} differ); "
            "choose another folder (hydra.run.dir=...) or delete this one"
        )


def _metrics(cfg: DictConfig, task: Task) -> list[str]:
    """The names of what will be measured."""
    values = task.reference.values
    blank = Result(task.equation, {}, values, values, observed=task.observed)
    blank.learned = {name: (np.ones(()),) * 3 for name in cfg.infer}
    blank.at_observations = task.observed.values if task.observed is not None else None
    return list(measure(blank, task.reference))


def _result(outcome: Outcome, task: Task) -> Result:
    observed = task.observed
    result = Result(
        outcome.equation,
        task.coordinates,
        outcome.values,
        task.reference.values,
        outcome.residual,
        outcome.spread,
        outcome.learned,
        observed,
    )
    if observed is not None:
        there = dict(zip(observed.coordinates, np.ix_(*observed.coordinates.values()), strict=True))
        result.at_observations = np.asarray(outcome.reading(observed.variable, **there))
    if task.members is not None:
        result.inputs, result.nodes = task.members.shown(), task.members.nodes
    return result


def measure(result: Result, reference: Reference) -> dict[str, float]:
    """Error norms against the reference and at the observations, by readable names.

    ``relative_l2`` (of the members of a family, their mean), ``one_step`` (the same after the first
    step of a roll-out) and ``max_error`` without a name stand for the worst variable;
    ``parameter_NAME`` is the relative error of a learned parameter where the truth is declared.
    """
    found: dict[str, float] = {}
    for symbol, error in reference.relative_l2(result.values).items():
        name = readable(symbol, result.equation.variables[symbol])
        found[f"relative_l2_{name}"] = error
        difference = result.values[symbol] - reference.values[symbol]
        found[f"max_error_{name}"] = float(np.abs(difference).max())
    for symbol, error in reference.one_step(result.values).items():
        found[f"one_step_{readable(symbol, result.equation.variables[symbol])}"] = error
    for kind in ("relative_l2", "max_error", "one_step"):
        each = [value for key, value in found.items() if key.startswith(kind)]
        if each:
            found[kind] = max(each)
    declared = result.observed.truth if result.observed is not None else {}
    for name in (n for n in declared if n in result.learned):
        value, true = np.asarray(result.learned[name][0]), np.asarray(declared[name])
        found[f"parameter_{name}"] = relative_l2(value, true)
    if result.observed is not None and result.at_observations is not None:
        found |= result.observed.rmse(result.at_observations)
    return found


def _summary(
    cfg: DictConfig,
    config: str,
    outcome: Outcome,
    metrics: Mapping[str, float],
    reference: Reference,
    gates: list[Gate],
) -> dict[str, Any]:
    verdicts = judge(gates, metrics, outcome.seconds, outcome.history)
    floor = {
        readable(s, outcome.equation.variables[s]): value for s, value in reference.floor.items()
    }
    at_floor = [n for n, f in floor.items() if metrics.get(f"relative_l2_{n}", np.inf) < 3 * f]
    return {
        "experiment": cfg.name,
        "equation": type(outcome.equation).__name__,
        "method": outcome.method,
        "reference": reference.name,
        "norms": dict(metrics),
        "floor": floor,
        "at_floor": at_floor,
        "classical": reference.classical,
        "seconds": {
            "compile": round(outcome.compile_seconds, 3),
            "compute": round(outcome.seconds - outcome.compile_seconds, 3),
            "total": round(outcome.seconds, 3),
        },
        "steps": outcome.steps,
        "points": outcome.points,
        "parameters": outcome.parameters,
        "learned": outcome.learned_summary(),
        "seed": cfg.seed,
        "seeds": cfg.seeds,
        "precision": cfg.precision,
        **machine.describe(),
        "gate": verdicts,
        "passed": all(v["passed"] for v in verdicts) if verdicts else None,
        "stopped": outcome.stopped,
        "conclusion": cfg.conclusion,
        "signal": outcome.signal,
        "config_sha256": fingerprint(cfg),
        **outcome.more,
    }


def _baselines(cfg: DictConfig, task: Task) -> dict[str, Any]:
    return {
        name: instantiate(node, f"baselines.{name}")(task.equation, task.observed)
        for name, node in cfg.baselines.items()
        if task.observed is not None
    }


def _write(
    cfg: DictConfig,
    folder: Path,
    config: str,
    result: Result,
    outcome: Outcome,
    summary: dict[str, Any],
) -> None:
    """Solution, dataset, summary and figures, each whole or not at all."""
    from pinnlab.io.provenance import provenance

    if outcome.parameters:
        facts = {"config": config, "norms": summary["norms"], "license": cfg.license}
        save_reading(outcome.reading, folder / "solution.safetensors", facts)
    flat = {key: value for key, value in summary["norms"].items()}
    flat |= {f"reference_floor_{name}": value for name, value in summary["floor"].items()}
    attributes = provenance(
        config,
        shlex.join(["pinnlab", *sys.argv[1:]]),
        title=cfg.title,
        summary=cfg.summary or cfg.title,
        keywords=list(cfg.keywords),
        references=cfg.references,
        license=cfg.license,
        comment=cfg.comment,
        processor=summary["processor"],
        device=summary["device"],
        precision=cfg.precision,
        seeds=list(range(cfg.seed, cfg.seed + cfg.seeds)),
        seconds=summary["seconds"]["total"],
        experiment=cfg.name,
        method=summary["method"],
        reference=summary["reference"],
        **flat,
    )
    name, write = FORMATS[cfg.format]
    made = dataset(result, attributes)
    write(made, folder / name)
    write_json(folder / "summary.json", summary)
    if cfg.figures:
        from pinnlab.report import draw

        draw(made, outcome.history, folder / "figures")


def redraw(folder: Path) -> list[Path]:
    """Draw the figures of a finished run anew.

    Raises:
        PinnlabError: the folder holds no dataset.
    """
    from pinnlab.report import draw

    found = [folder / name for name, _ in FORMATS.values() if (folder / name).exists()]
    if not found:
        raise PinnlabError(f"'{folder}' holds no dataset; finish it with: pinnlab resume {folder}")
    history = JsonLines(folder / "log.jsonl").records()
    return draw(read_dataset(found[0]), history, folder / "figures")
