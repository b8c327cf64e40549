"""Seconds and bytes of one optimizer step against the rows N and the parameters P.

    taskset -c 1 python experiments/cost/measure.py      # results.csv, exponents.csv, cost.png
    python experiments/cost/measure.py --merge           # exponents and figure from results.csv

The rows are those of the Burgers residual at N uniform points; the network has two hidden layers of
tanh units, in float64. One step is one compiled call. Its seconds are processor seconds of the
process, mean over the steps after a first one; its bytes are what XLA plans for that program:
arguments, results and temporary arrays. Both are compared with what the algorithm says: the
exponents with those of its count of operations, fitted at the same sizes, and the bytes with
``memory()`` of the optimizer.

The count leaves out what the derivatives of the network cost: products and, for each unit, a tanh
with its derivatives, about N times the square root of P. It shows where the optimizer itself adds
little. The factors of the self-scaled Broyden method stand for a gradient and for the passes over
its matrix.

Matrix-free Gauss-Newton takes 5 products a step here, with a preconditioner of rank 10 every 10
steps, so that its work does not depend on how the linear systems happen to converge.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from pinnlab.core.precision import precision
from pinnlab.core.rows import read_rows, write_rows
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.models.model import Model
from pinnlab.networks.mlp import MLP
from pinnlab.optimizers import Gradient, LevenbergMarquardt, MatrixFree, Optimizer, QuasiNewton
from pinnlab.report.style import CYCLE, new_figure, save
from pinnlab.terms.problem import Problem
from pinnlab.terms.residual import ResidualTerm

HERE = Path(__file__).parent
RESULTS, EXPONENTS, FIGURE = HERE / "results.csv", HERE / "exponents.csv", HERE / "cost.png"
ROWS, WIDTHS = (400, 2000, 8000, 40_000), (3, 8, 18, 30, 42)
FIXED_ROWS, FIXED_WIDTH = 2048, 11
STEPS, LONGEST = 10, 8.0  # steps that are timed, and processor seconds after which that ends
Row = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """An optimizer with the operations that one step of it takes, up to a factor, and in words."""

    optimizer: Optimizer
    operations: Callable[[float, float], float]
    formula: str


METHODS = {
    "Levenberg-Marquardt, Cholesky": Method(
        LevenbergMarquardt(), lambda n, p: n * p**2 + p**3 / 3, "N P² + P³/3"
    ),
    "Levenberg-Marquardt, QR": Method(
        LevenbergMarquardt(factorization="qr"),
        lambda n, p: 2 * (n + p) * p**2 - 2 * p**3 / 3,
        "2 (N + P) P² - 2 P³/3",
    ),
    "matrix-free Gauss-Newton": Method(
        MatrixFree(rank=10, refresh=10, iterations=5, tolerance=0.0), lambda n, p: n * p, "N P"
    ),
    "self-scaled Broyden": Method(
        QuasiNewton(), lambda n, p: 20 * n * p + 10 * p**2, "20 N P + 10 P²"
    ),
    "Adam": Method(Gradient(optax.adam(1e-3)), lambda n, p: n * p, "N P"),
}


# ---------------------------------------------------------------- one size


def measured(method: Method, rows: int, width: int) -> Row:
    """Seconds and bytes of a step with *rows* rows and a network of that *width*."""
    equation, optimizer = Burgers(), method.optimizer
    term = ResidualTerm(equation)
    problem = Problem(equation, Model(MLP(width=width, depth=2)), [term])
    params = problem.init(jax.random.key(0))
    unit = jax.random.uniform(jax.random.key(1), (rows, term.dims))
    batch, weights = {term.name: term.place(unit, 1.0)}, {term.name: jnp.ones(())}
    parameters = ravel_pytree(params)[0].size

    def step(params: Any, state: Any, batch: Any) -> Any:
        return optimizer.step(problem, params, state, batch, weights)

    state = optimizer.init(params)
    program = jax.jit(step).lower(params, state, batch).compile()
    plan = program.memory_analysis()
    held = plan.argument_size_in_bytes + plan.output_size_in_bytes + plan.temp_size_in_bytes
    stated = optimizer.memory(rows, parameters, 8)
    return {
        "rows": rows,
        "parameters": parameters,
        "milliseconds": f"{1e3 * seconds_of(program, params, state, batch):.4g}",
        "bytes": held,
        "temporary_bytes": plan.temp_size_in_bytes,
        "stated_bytes": stated,
        "bytes_over_stated": f"{held / stated:.2f}",
    }


def seconds_of(program: Any, params: Any, state: Any, batch: Any) -> float:
    """Mean processor seconds of a step, after a first one."""
    params, state, _ = jax.block_until_ready(program(params, state, batch))
    begun, done = time.process_time(), 0
    while done < STEPS and time.process_time() - begun < LONGEST:
        params, state, _ = jax.block_until_ready(program(params, state, batch))
        done += 1
    return (time.process_time() - begun) / done


def measure() -> list[Row]:
    about = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "",
        "device": jax.devices()[0].device_kind,
        "jax": version("jax"),
    }
    found = []
    sizes = [("rows", n, FIXED_WIDTH) for n in ROWS]
    sizes += [("parameters", FIXED_ROWS, width) for width in WIDTHS]
    for name, method in METHODS.items():
        for varied, rows, width in sizes:
            row = {"optimizer": name, "varied": varied, **measured(method, rows, width), **about}
            found.append(row)
            print(*list(row.values())[:9], sep="  ", flush=True)
    return found


# ---------------------------------------------------------------- exponents and figure


def exponents(found: Sequence[Row]) -> list[Row]:
    """The exponents of the seconds in N and P, between the two largest sizes and over all."""
    made = []
    for name, method in METHODS.items():
        row: Row = {"optimizer": name, "operations": method.formula}
        for varied, letter in (("rows", "N"), ("parameters", "P")):
            n, p, time = columns(found, name, varied)
            size, expected = (n if varied == "rows" else p), method.operations(n, p)
            for key, values in (("measured", time), ("expected", expected)):
                row[f"{letter}_{key}"] = f"{slope(size[-2:], values[-2:]):.2f}"
                row[f"{letter}_{key}_overall"] = f"{slope(size, values):.2f}"
        own = [float(r["bytes_over_stated"]) for r in found if r["optimizer"] == name]
        made.append(row | {"bytes_over_stated": f"{min(own):.2f} to {max(own):.2f}"})
    return made


def columns(found: Sequence[Row], name: str, varied: str) -> tuple[np.ndarray, ...]:
    """Rows, parameters and milliseconds along one scan."""
    own = [r for r in found if r["optimizer"] == name and r["varied"] == varied]
    keys = ("rows", "parameters", "milliseconds")
    return tuple(np.array([float(r[key]) for r in own]) for key in keys)


def slope(size: np.ndarray, values: np.ndarray) -> float:
    return float(np.polyfit(np.log(size), np.log(values), 1)[0])


def draw(found: Sequence[Row]) -> None:
    """Seconds over both sizes, and planned over stated bytes."""
    figure = new_figure(12.0, 4.2)
    panels = figure.subplots(1, 3)
    titles = (
        f"{FIXED_WIDTH} units a layer: N varies",
        f"{FIXED_ROWS:,} rows: P varies",
        "bytes of a step",
    )
    for colour, name in zip(CYCLE, METHODS, strict=False):
        for panel, varied in zip(panels, ("rows", "parameters"), strict=False):
            n, p, time = columns(found, name, varied)
            size, operations = (n if varied == "rows" else p), METHODS[name].operations(n, p)
            panel.plot(size, time, "o-", color=colour, markersize=4, label=name)
            panel.plot(size, operations * (time[-1] / operations[-1]), ":", color=colour)
        own = [r for r in found if r["optimizer"] == name]
        stated, held = ([float(r[key]) for r in own] for key in ("stated_bytes", "bytes"))
        panels[2].plot(stated, held, "o", color=colour, markersize=5)
    ends = np.array([min(float(r["stated_bytes"]) for r in found), 1e9])
    panels[2].plot(ends, ends, "--", color="0.4", linewidth=1.0)
    labels = (
        ("rows N", "processor milliseconds of a step"),
        ("parameters P", ""),
        ("stated by memory()", "planned by XLA"),
    )
    for panel, title, (x, y) in zip(panels, titles, labels, strict=True):
        panel.set(xscale="log", yscale="log", title=title, xlabel=x, ylabel=y)
        panel.grid(True, which="major", color="0.9", linewidth=0.6)
    panels[0].plot([], [], ":", color="0.4", label="its operations")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    save(figure, FIGURE)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--merge", action="store_true", help="measure nothing")
    if parser.parse_args().merge:
        found = read_rows(RESULTS)
    else:
        with precision("float64"):
            found = measure()
        write_rows(RESULTS, found)
        print(f"-> {RESULTS}")
    made = exponents(found)
    write_rows(EXPONENTS, made)
    print(f"-> {EXPONENTS}")
    for row in made:
        print("  ".join(str(value) for value in row.values()))
    draw(found)


if __name__ == "__main__":
    main()
