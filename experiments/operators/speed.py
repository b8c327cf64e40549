"""Time a training step of pinnlab's Fourier neural operator beside a hand-written PyTorch one and
that of neuraloperator.

    python experiments/operators/speed.py --python PEERS/bin/python   # -> speed.csv

On one core (``taskset -c 0 python ...``) it writes ``speed_one_core.csv``.

A step is forward pass, relative L2 loss, backward pass and AdamW, in float32, on one fixed batch
of noise. Pinnlab's is what its trainer calls: ``Compiled.advance`` on a problem of an ``Fno`` and
a ``PairTerm``. The hand-written one (``torch_sides.py``) starts from the same parameters and must
have the same losses. Each side lives in a process of its own, which waits while another one works;
the sides take turns in every repetition, so that other work on the machine meets all of them, and
the ratio is the median over the repetitions of the ratios within one.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pinnlab.core.rows import aligned, write_rows

HERE = Path(__file__).parent


class Case(NamedTuple):
    """A size of the task, and how many times pinnlab must be faster than each side."""

    shape: tuple[int, ...]
    width: int
    modes: int
    batch: int
    gates: dict[str, float]


CASES = {
    "16x16": Case((16, 16), 24, 4, 64, {"neuraloperator": 2.0, "PyTorch": 1.0 / 1.1}),
    "64x64": Case((64, 64), 32, 12, 8, {"neuraloperator": 5.0, "PyTorch": 1.0}),
    "256": Case((256,), 32, 16, 20, {}),
}
DEPTH = 4
SIDES = {"PyTorch": "hand", "PyTorch, tanh GELU": "hand_tanh", "neuraloperator": "neuraloperator"}


# ---------------------------------------------------------------- pinnlab's own process


def serve(case: Case, path: Path, transform: str) -> None:
    """Write the start of the case to *path*, then take steps as ``torch_sides.py`` does."""
    import jax

    from pinnlab.core.precision import precision

    with precision("float32"):
        compiled, state = built(case, transform)
        save(case, path, state)
        print(sum(leaf.size for leaf in jax.tree.leaves(state["params"])), flush=True)
        for line in sys.stdin:
            clock, processor = time.perf_counter(), time.process_time()
            state, loss = jax.block_until_ready(compiled.advance(state, int(line)))
            spent = time.perf_counter() - clock, time.process_time() - processor
            print(*(1e3 * s / int(line) for s in spent), float(loss), flush=True)


def built(case: Case, transform: str) -> Any:
    """The compiled pieces of a training, and its first state."""
    import optax

    from pinnlab.core import Axis, Domain
    from pinnlab.core.grid import FiniteDifference, Grid
    from pinnlab.equations.canonical.poisson import Poisson
    from pinnlab.equations.family import Family
    from pinnlab.models.operator import OperatorModel
    from pinnlab.networks import Fno
    from pinnlab.optimizers.gradient import Gradient
    from pinnlab.terms.instances import INPUT, SOLUTION, PairTerm
    from pinnlab.terms.problem import Problem
    from pinnlab.train.compiled import Compiled
    from pinnlab.train.trainer import Phase
    from pinnlab.train.weights import Fixed

    equation = Poisson(domain=Domain(**{a: Axis(0, 1) for a in "xy"[: len(case.shape)]}))
    axes = zip(equation.domain.axes, case.shape, strict=True)
    grid = Grid(equation.domain, {a: (FiniteDifference(4), n) for a, n in axes})
    family = Family(equation, grid, parameters=("conductivity",))
    random, shape = np.random.default_rng(0), (case.batch, *case.shape)
    names = (f"{INPUT}conductivity", f"{SOLUTION}u")
    batch = {name: random.normal(size=shape).astype("float32") for name in names}
    network = Fno(case.width, DEPTH, case.modes, padding=0.0, transform=transform)
    model: Any = OperatorModel(network, family.names, grid, exact=False)
    problem = Problem(equation, model, [PairTerm(family, grid, lambda key, n, step: batch)])
    adamw = Gradient(optax.adamw(1e-3, weight_decay=1e-4))
    phase = Phase(adamw, steps=1, points=case.batch)
    compiled = Compiled(problem, phase, Fixed(), fresh=1, seeds=np.arange(1))
    return compiled, compiled.start(0, None, None)


def save(case: Case, path: Path, state: Any) -> None:
    """The case and its start, as numbers that need no pinnlab."""
    import jax

    leaves = jax.tree_util.tree_flatten_with_path(state["params"]["network"]["params"])[0]
    start = {"/".join(key.key for key in keys): np.asarray(leaf) for keys, leaf in leaves}
    inputs, solutions = (np.asarray(column) for column in state["batch"]["pairs"].values())
    sizes = {"dims": len(case.shape), "width": case.width, "modes": case.modes, "depth": DEPTH}
    start = {f"params/{name}": leaf for name, leaf in start.items()}
    np.savez(path, inputs=inputs, solutions=solutions, **sizes, **start)


# ---------------------------------------------------------------- the comparison


class Side:
    """A process that takes steps when asked."""

    def __init__(self, *command: str):
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.parameters = int(self._line())

    def steps(self, count: int) -> list[float]:
        """Milliseconds a step by the clock and of the processor, and the last loss."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return [float(part) for part in self._line().split()]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.process.args)} ended")  # type: ignore[arg-type]
        return line


def measure(name: str, python: str, transforms: list[str], repetitions: int) -> list[dict]:
    """The rows of one case."""
    case, sides = CASES[name], {}
    with tempfile.TemporaryDirectory() as folder:
        start = str(Path(folder) / "start.npz")
        own = (sys.executable, __file__, "--serve", name, start)
        for transform in transforms:
            sides[f"pinnlab, {transform}"] = Side(*own, transform)
        for side, kind in SIDES.items():
            sides[side] = Side(python, str(HERE / "torch_sides.py"), start, kind)
        try:
            losses, counts = warmed(sides)
            taken: dict[str, list] = {side: [] for side in sides}
            for repetition in range(repetitions):
                for side in list(sides)[:: -1 if repetition % 2 else 1]:
                    taken[side].append(sides[side].steps(counts[side]))
            parameters = {side: sides[side].parameters for side in sides}
        finally:
            for process in sides.values():
                process.close()
    return [row(name, case, s, taken, parameters[s], losses[s]) for s in sides]


def warmed(sides: dict[str, Side]) -> tuple[dict[str, float], dict[str, int]]:
    """The losses of the first and of the eleventh step, which agree where they should, and how many
    steps take about half a second."""
    losses, counts = {}, {}
    for name, side in sides.items():
        first, (wall, _, eleventh) = side.steps(1)[2], side.steps(10)
        losses[name] = (first, eleventh)
        counts[name] = max(2, round(500.0 / wall))
    ours = next(iter(losses.values()))
    for name, found in losses.items():
        apart = max(abs(a / b - 1.0) for a, b in zip(found, ours, strict=True))
        if name != "neuraloperator" and apart > 1e-3:
            raise SystemExit(f"{name}: losses {found} are not those of pinnlab, {ours}")
    return {name: found[1] for name, found in losses.items()}, counts


def row(
    name: str, case: Case, side: str, taken: dict[str, list], parameters: int, loss: float
) -> dict[str, Any]:
    wall, processor, _ = zip(*taken[side], strict=True)
    ours = next(iter(taken.values()))
    ratios = [[a / b for a, b in zip(t[:2], o[:2], strict=True)]
              for t, o in zip(taken[side], ours, strict=True)]  # fmt: skip
    ratio, cpu_ratio = (statistics.median(r) for r in zip(*ratios, strict=True))
    gate = case.gates.get(side)
    return {
        "case": name,
        "side": side,
        "parameters": parameters,
        "median_ms": f"{statistics.median(wall):.1f}",
        "min_ms": f"{min(wall):.1f}",
        "cpu_ms": f"{statistics.median(processor):.1f}",
        "ratio": f"{ratio:.2f}",
        "cpu_ratio": f"{cpu_ratio:.2f}",
        "gate": "" if gate is None else f"{gate:.2f}",
        "passed": "" if gate is None else ("yes" if ratio >= gate else "no"),
        "loss": f"{loss:.5f}",
    }


def about(python: str, repetitions: int) -> dict[str, Any]:
    """Where and with what."""
    asked = "from importlib.metadata import version as v; print(v('torch'), v('neuraloperator'))"
    found = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    torch, neuraloperator = found.stdout.split()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"repetitions": repetitions, "cores": cores, "machine": platform.machine()} | {
        "python": platform.python_version(),
        "torch": torch,
        "neuraloperator": neuraloperator,
        **{package: version(package) for package in ("jax", "jaxlib", "optax", "flax")},
    }


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        name, path, transform = sys.argv[2:]
        serve(CASES[name], Path(path), transform)
        return
    parser = argparse.ArgumentParser(description="Time a step of a Fourier neural operator.")
    parser.add_argument("--python", required=True, help="of the others' environment")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--transforms", nargs="+", choices=("dft", "fft"), default=["dft"])
    parser.add_argument("--repetitions", type=int, default=9)
    given = parser.parse_args()
    told, rows = about(given.python, given.repetitions), []
    path = HERE / ("speed_one_core.csv" if told["cores"] == 1 else "speed.csv")
    for name in given.cases:
        made = measure(name, given.python, given.transforms, given.repetitions)
        print(aligned(made), flush=True)
        rows += [{**line, **told} for line in made]
        write_rows(path, rows)
    print(f"-> {path}")


if __name__ == "__main__":
    main()
