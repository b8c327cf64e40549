"""Pinnlab beside DeepXDE, jinns and PINA: error over processor time on five tasks.

    python experiments/peers/compare.py --python peers-environment/bin/python
    python experiments/peers/compare.py --only pinnlab      # anew, the others' rows are kept
    python experiments/peers/compare.py --merge             # summary and figure alone

Every package solves pinnlab's own experiments (their domain, coefficient, conditions, exact
solution and output grid) with exact conditions, each in a process of its own, one after the other,
pinned to one core with one thread. What is compared is processor time of that process, compiling
included and imports excluded: it depends little on other work on the machine. The error is looked
at as the training goes, and looking is not counted.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tasks import NAMES

from pinnlab.core.rows import aligned, read_rows, write_rows
from pinnlab.report.style import CYCLE, PREDICTION, new_figure
from pinnlab.run.build import build_equation
from pinnlab.run.compose import composed
from pinnlab.run.outputs import output_coordinates
from pinnlab.run.reference import make_reference, tensor

HERE = Path(__file__).parent
RESULTS, SUMMARY, CURVES = HERE / "results.csv", HERE / "summary.csv", HERE / "curves.png"
COEFFICIENTS = dict(
    burgers="nu", heat="diffusivity", poisson="conductivity", helmholtz="k", wave="c"
)
# How much sooner pinnlab must reach a package's best error, and how much lower it must end.
GATES = {"DeepXDE": (20.0, 1000.0), "PINA": (20.0, 1000.0), "jinns": (3.0, 30.0)}
OURS = "as its experiment"
AGAIN = f"{OURS}, a second time"  # with the compiled programs that the first time kept
COLOURS = {"pinnlab": PREDICTION, "DeepXDE": CYCLE[4], "jinns": CYCLE[0], "PINA": CYCLE[2]}


@dataclass(frozen=True)
class Side:
    """A package in one configuration, and the script that runs it."""

    package: str
    configuration: str
    script: str
    line: str = "-"  # of its curve


SIDES = (
    Side("DeepXDE", "Adam then L-BFGS", "deepxde_tasks.py"),
    Side("PINA", "Adam then L-BFGS", "pina_tasks.py"),
    Side("jinns", "natural gradient", "jinns_tasks.py", "--"),
    Side("jinns", "Adam then self-scaled Broyden", "jinns_tasks.py"),
    Side("pinnlab", OURS, "pinnlab_tasks.py"),
    Side("pinnlab", AGAIN, "pinnlab_tasks.py", "--"),
)

Row = dict[str, str]


# ---------------------------------------------------------------- running


def write_task(name: str, folder: Path) -> Path:
    """The task of pinnlab's experiment *name* as a file that needs no pinnlab."""
    cfg = composed([f"experiment={name}"])
    equation = build_equation(cfg)
    coordinates = output_coordinates(equation, cfg.output, None)
    truth = make_reference(equation, None, coordinates).values["u"]
    axes = [equation.domain[axis] for axis in coordinates]
    path = folder / f"{name}.npz"
    np.savez(
        path,
        name=name,
        axes=list(coordinates),
        lower=[axis.lower for axis in axes],
        upper=[axis.upper for axis in axes],
        coefficient=float(getattr(equation, COEFFICIENTS[name])),
        scale=equation.residual_scale("u"),
        points=np.stack([x.ravel() for x in tensor(coordinates).values()], 1),
        truth=truth.ravel(),
    )
    return path


def run(side: Side, task: Path, python: str, budget: float) -> list[Row]:
    """The rows of one process; none, with its message, if it fails."""
    out = task.with_suffix(".csv")
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    environment |= {f"{kind}_NUM_THREADS": "1" for kind in ("OMP", "MKL", "OPENBLAS")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # compiling counts, each first time
    if side.package == "pinnlab":
        environment["JAX_COMPILATION_CACHE_DIR"] = str(task.with_suffix(".programs"))
    command = [python, str(HERE / side.script), str(task), side.configuration, str(out)]
    done = subprocess.run(
        [*command, str(budget)],
        env=environment,
        cwd=task.parent,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(f"failed:\n{done.stderr[-3000:]}", flush=True)
        return []
    return read_rows(out)


def merged(new: list[Row]) -> None:
    """Put *new* in the place of the rows of its task, package and configuration."""
    key = ("task", "package", "configuration")
    fresh = {tuple(row[k] for k in key) for row in new}
    kept = [row for row in read_rows(RESULTS) if tuple(row[k] for k in key) not in fresh]
    place = {(t, s.package, s.configuration): (NAMES.index(t), i)
             for t in NAMES for i, s in enumerate(SIDES)}  # fmt: skip
    rows = [row for row in kept + new if tuple(row[k] for k in key) in place]
    write_rows(RESULTS, sorted(rows, key=lambda row: place[tuple(row[k] for k in key)]))


# ---------------------------------------------------------------- judging


def curve(rows: list[Row]) -> np.ndarray:
    """(n, 2) processor seconds and the lowest error so far."""
    found = np.array([[float(r["processor_seconds"]), float(r["relative_l2"])] for r in rows])
    found = found[np.argsort(found[:, 0])]
    found[:, 1] = np.minimum.accumulate(np.nan_to_num(found[:, 1], nan=math.inf))
    return found


def first(curve: np.ndarray, error: float) -> float:
    """Seconds after which *error* is reached; infinite where it never is."""
    reached = curve[curve[:, 1] <= error]
    return float(reached[0, 0]) if len(reached) else math.inf


def judged(
    task: str,
    package: str,
    sides: dict[str, np.ndarray],
    ours: np.ndarray,
    again: np.ndarray | None = None,
) -> Row:
    """A package in its best configuration on one task, beside pinnlab, and that *again*."""
    configuration = min(sides, key=lambda name: sides[name][-1, 1])
    theirs = sides[configuration]
    best, end = theirs[-1, 1], theirs[-1, 0]
    after, reached = first(theirs, best), first(ours, best)
    so_far = ours[ours[:, 0] <= end]
    here = float(so_far[-1, 1]) if len(so_far) else math.inf
    sooner, lower = after / reached, best / here
    need_sooner, need_lower = GATES[package]
    return {
        "task": task,
        "package": package,
        "configuration": configuration,
        "best_relative_l2": f"{best:.2e}",
        "after_seconds": f"{after:.1f}",
        "within_tenth_after_seconds": f"{first(theirs, 1.1 * best):.1f}",
        "pinnlab_after_seconds": f"{reached:.1f}",
        "times_sooner": f"{sooner:.1f}",
        "times_sooner_again": "" if again is None else f"{after / first(again, best):.1f}",
        "sooner_gate": f"{need_sooner:g}",
        "at_seconds": f"{end:.1f}",
        "pinnlab_relative_l2": f"{here:.2e}",
        "times_lower": f"{lower:.3g}",
        "lower_gate": f"{need_lower:g}",
        "passed": "yes" if sooner >= need_sooner and lower >= need_lower else "no",
    }


def grouped(rows: list[Row], *keys: str) -> dict[tuple[str, ...], list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def summarise(rows: list[Row]) -> None:
    """Write and print ``summary.csv``: each package beside pinnlab, where both have run."""
    curves = {k: curve(v) for k, v in grouped(rows, "task", "package", "configuration").items()}
    lines = []
    for task in NAMES:
        ours = curves.get((task, "pinnlab", OURS))
        again = curves.get((task, "pinnlab", AGAIN))
        for package in GATES:
            sides = {n: c for (t, p, n), c in curves.items() if (t, p) == (task, package)}
            if sides and ours is not None:
                lines.append(judged(task, package, sides, ours, again))
    if not lines:
        return
    write_rows(SUMMARY, lines)
    print(aligned(lines))


def draw(rows: list[Row]) -> None:
    """A panel a task: relative L2 error over processor seconds, both logarithmic."""
    figure = new_figure(11.0, 6.6)
    panels = figure.subplots(2, 3, sharex=True).ravel()
    for panel, task in zip(panels, NAMES, strict=False):
        for side in SIDES:
            mine = [r for r in rows if r["task"] == task and r["package"] == side.package
                    and r["configuration"] == side.configuration]  # fmt: skip
            if mine:
                x, y = np.array(
                    [[float(r["processor_seconds"]), float(r["relative_l2"])] for r in mine]
                ).T
                width = 2.2 if side.package == "pinnlab" else 1.4
                panel.plot(x, y, side.line, color=COLOURS[side.package], linewidth=width)
        panel.set(xscale="log", yscale="log", title=task.capitalize())
        panel.set_xlim(left=1.0)
        panel.grid(True, which="major", color="0.9", linewidth=0.6)
        panel.tick_params(labelbottom=True)
    for panel in panels[len(NAMES) :]:
        panel.axis("off")
    for panel in panels[::3]:
        panel.set_ylabel("relative L2 error")
    for panel in panels[2:5]:
        panel.set_xlabel("processor seconds on one core")
    for side in SIDES:
        panels[-1].plot([], [], side.line, color=COLOURS[side.package], linewidth=2.0,
                        label=f"{side.package}: {side.configuration}")  # fmt: skip
    panels[-1].legend(loc="center", frameon=False, fontsize=10)
    figure.savefig(CURVES)


def main() -> None:
    packages = sorted({side.package for side in SIDES})
    parser = argparse.ArgumentParser(description="Error over processor time, beside others.")
    parser.add_argument("--python", default=sys.executable, help="of the others' environment")
    parser.add_argument("--only", nargs="+", choices=packages, default=packages)
    parser.add_argument("--tasks", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--budget", type=float, default=120.0, help="processor seconds of each")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--merge", action="store_true", help="run nothing")
    given = parser.parse_args()
    os.sched_setaffinity(0, {given.core})  # children inherit it
    with tempfile.TemporaryDirectory() as folder:
        for task in () if given.merge else given.tasks:
            path = write_task(task, Path(folder))
            for side in SIDES:
                if side.package in given.only:
                    print(f"{task}: {side.package}, {side.configuration}", flush=True)
                    python = sys.executable if side.package == "pinnlab" else given.python
                    merged(run(side, path, python, given.budget))
    rows = read_rows(RESULTS)
    summarise(rows)
    draw(rows)


if __name__ == "__main__":
    main()
