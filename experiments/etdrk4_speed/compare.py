"""Time 1,000 ETDRK4 steps of pinnlab and of exponax, side by side in one run.

    python experiments/etdrk4_speed/compare.py

Needs ``pip install "pinnlab[bench]"``. Each case starts both from the same state on the same grid
with the same dealiasing. Exponax is timed as its users run it (``repeat``: a forward and a
backward transform a step) and by its ``step_fourier``, which avoids them and is the faster; the
ratio is against the faster one, medians over interleaved repetitions. The last column is the
largest difference of the two end states, relative to the largest value.
"""

from __future__ import annotations

import csv
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import exponax
import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core import Axis, Domain
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.canonical.kuramoto_sivashinsky import KuramotoSivashinsky
from pinnlab.equations.canonical.vorticity import Vorticity
from pinnlab.solvers.etdrk4 import etdrk4

STEPS, REPETITIONS = 1000, 15
TABLE = Path(__file__).with_name("results.csv")


class Case(NamedTuple):
    """One equation on both sides; *make* builds pinnlab's step and exponax's."""

    name: str
    precision: str
    make: Callable[[], tuple[Any, Any]]
    start: Callable[[dict[str, Any]], Any]


def box(length: float, *axes: str) -> Domain:
    return Domain(t=Axis(0, 1), **{a: Axis(0, length, periodic=True) for a in axes})


def kuramoto_sivashinsky() -> tuple[Any, Any]:
    length, n, step = 32 * np.pi, 128, 0.1
    ours = KuramotoSivashinsky(alpha=1.0, beta=1.0, gamma=1.0, domain=box(length, "x"))
    peer = exponax.stepper.KuramotoSivashinskyConservative(1, length, n, step, order=4)
    return etdrk4(ours, n, step), peer


def burgers() -> tuple[Any, Any]:
    length, n, step, nu = 2 * np.pi, 256, 1e-3, 0.05
    peer = exponax.stepper.Burgers(1, length, n, step, diffusivity=nu, order=4)
    return etdrk4(Burgers(nu=nu, domain=box(length, "x")), n, step), peer


def vorticity() -> tuple[Any, Any]:
    length, n, step, nu = 2 * np.pi, 64, 1e-3, 1e-3
    peer = exponax.stepper.NavierStokesVorticity(2, length, n, step, diffusivity=nu, order=4)
    return etdrk4(Vorticity(nu=nu, domain=box(length, "x", "y")), n, step), peer


def wave(x: dict[str, Any]) -> Any:
    angle = x["x"] * (2 * np.pi / x["x"].size / (x["x"][1] - x["x"][0]))
    return np.cos(angle) * (1 + np.sin(angle))


def vortices(x: dict[str, Any]) -> Any:
    return 2 * np.cos(x["x"]) * np.cos(x["y"]) + np.sin(3 * x["x"] + x["y"]) + np.cos(2 * x["y"])


CASES = (
    Case("Kuramoto-Sivashinsky, 128", "float64", kuramoto_sivashinsky, wave),
    Case("Burgers, 256", "float64", burgers, wave),
    Case("vorticity, 64 x 64", "float64", vorticity, vortices),
    Case("vorticity, 64 x 64", "float32", vorticity, vortices),
)


def ours_run(stepper: Any, name: str) -> Callable[[Any], Any]:
    def run(u: Any) -> Any:
        def one(carry: Any, _: None) -> Any:
            state, i = carry
            return (stepper(state, i * stepper.step), i + 1.0), None

        start = (stepper.forward({name: u}), jnp.zeros(()))
        (state, _), _ = jax.lax.scan(one, start, length=STEPS)
        return stepper.backward(state)[name]

    return jax.jit(run)


def peer_runs(stepper: Any) -> dict[str, Callable[[Any], Any]]:
    def by_spectrum(u: Any) -> Any:
        def one(state: Any, _: None) -> Any:
            return stepper.step_fourier(state), None

        d, n = stepper.num_spatial_dims, stepper.num_points
        state = exponax.fft(u[None], num_spatial_dims=d)
        state, _ = jax.lax.scan(one, state, length=STEPS)
        return exponax.ifft(state, num_spatial_dims=d, num_points=n)[0]

    repeated = exponax.repeat(stepper, STEPS)
    return {
        "exponax_repeat": jax.jit(lambda u: repeated(u[None])[0]),
        "exponax_step_fourier": jax.jit(by_spectrum),
    }


def measure(case: Case) -> dict[str, Any]:
    """Milliseconds of each method, the ratio, and the difference of the end states."""
    with jax.enable_x64(case.precision == "float64"):
        stepper, peer = case.make()
        name = stepper.split.evolving[0]
        start = jnp.broadcast_to(jnp.asarray(case.start(stepper.grid.coordinates)), stepper.grid.shape)
        start = start.astype(jnp.result_type(float))
        runs = {"pinnlab": ours_run(stepper, name), **peer_runs(peer)}
        ends = {method: np.asarray(run(start)) for method, run in runs.items()}
        taken: dict[str, list[float]] = {method: [] for method in runs}
        for _ in range(REPETITIONS):
            for method, run in runs.items():
                before = time.perf_counter()
                jax.block_until_ready(run(start))
                taken[method].append(1e3 * (time.perf_counter() - before))
    medians = {method: statistics.median(times) for method, times in taken.items()}
    fastest = min(value for method, value in medians.items() if method != "pinnlab")
    apart = np.max(np.abs(ends["pinnlab"] - ends["exponax_step_fourier"]))
    return {
        "case": case.name,
        "precision": case.precision,
        **{f"{method}_ms": f"{value:.1f}" for method, value in medians.items()},
        "ratio": f"{medians['pinnlab'] / fastest:.2f}",
        "difference": f"{apart / np.max(np.abs(ends['pinnlab'])):.1e}",
    }


def main() -> None:
    rows = [measure(case) for case in CASES]
    about = {"steps": STEPS, "repetitions": REPETITIONS, "device": jax.devices()[0].device_kind,
             "machine": platform.machine(), "python": platform.python_version()}
    about |= {name: version(name) for name in ("jax", "jaxlib", "exponax", "numpy")}
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    with TABLE.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *about])
        writer.writeheader()
        writer.writerows({**row, **about} for row in rows)
    print(TABLE)


if __name__ == "__main__":
    main()
