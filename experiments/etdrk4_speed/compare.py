"""Time 1,000 ETDRK4 steps of pinnlab and of exponax, side by side in one run.

    python experiments/etdrk4_speed/compare.py

Needs ``pip install "pinnlab[bench]"``. Each case starts both from the same state on the same grid
with the same dealiasing. Exponax is timed as its users run it (``repeat``: a forward and a
backward transform a step) and by its ``step_fourier``, which avoids them and is the faster; the
ratio is against the faster one, medians over interleaved repetitions. The last column is the
largest difference of the two end states, relative to the largest value (on the chaotic
Kuramoto-Sivashinsky equation rounding grows to 1e-10 in these 100 units of time).

A second table has the errors of both on a Korteweg-de Vries soliton, whose linear part is
imaginary. Exponax 0.2.0 takes the real part of each term of its contour means, which is right for
a real linear part only, and falls to first order there.
"""

from __future__ import annotations

import math
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
from pinnlab.core.rows import aligned, write_rows
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.canonical.korteweg_de_vries import KortewegDeVries
from pinnlab.equations.canonical.kuramoto_sivashinsky import KuramotoSivashinsky
from pinnlab.equations.canonical.vorticity import Vorticity
from pinnlab.solvers.etdrk4 import etdrk4

STEPS, REPETITIONS = 1000, 15
HERE = Path(__file__).parent


class Case(NamedTuple):
    """One equation on both sides; *make* builds pinnlab's step and exponax's, whose unknown is
    *sign* times pinnlab's."""

    name: str
    precision: str
    make: Callable[[], tuple[Any, Any]]
    start: Callable[[dict[str, Any]], Any]
    sign: float = 1.0


def same_modes(n: int) -> dict[str, Any]:
    """Exponax's fourth-order scheme, keeping the modes below n / 3 as pinnlab does."""
    return {"order": 4, "dealiasing_fraction": (math.ceil(n / 3) + 0.5) / (n // 2)}


def box(length: float, *axes: str) -> Domain:
    return Domain(t=Axis(0, 1), **{a: Axis(0, length, periodic=True) for a in axes})


def kuramoto_sivashinsky() -> tuple[Any, Any]:
    length, n, step = 32 * np.pi, 128, 0.1
    ours = KuramotoSivashinsky(alpha=1.0, beta=1.0, gamma=1.0, domain=box(length, "x"))
    peer = exponax.stepper.KuramotoSivashinskyConservative(1, length, n, step, **same_modes(n))
    return etdrk4(ours, n, step), peer


def burgers() -> tuple[Any, Any]:
    length, n, step, nu = 2 * np.pi, 256, 1e-3, 0.1
    peer = exponax.stepper.Burgers(1, length, n, step, diffusivity=nu, **same_modes(n))
    return etdrk4(Burgers(nu=nu, domain=box(length, "x")), n, step), peer


def vorticity() -> tuple[Any, Any]:
    length, n, step, nu = 2 * np.pi, 64, 1e-3, 1e-3
    peer = exponax.stepper.NavierStokesVorticity(
        2, length, n, step, diffusivity=nu, **same_modes(n)
    )
    return etdrk4(Vorticity(nu=nu, domain=box(length, "x", "y")), n, step), peer


def wave(x: dict[str, Any]) -> Any:
    angle = x["x"] * (2 * np.pi / x["x"].size / (x["x"][1] - x["x"][0]))
    return np.cos(angle) * (1 + np.sin(angle))


def vortices(x: dict[str, Any]) -> Any:
    return 2 * np.cos(x["x"]) * np.cos(x["y"]) + np.sin(3 * x["x"] + x["y"]) + np.cos(2 * x["y"])


CASES = (
    Case("Kuramoto-Sivashinsky, 128", "float64", kuramoto_sivashinsky, wave),
    Case("Burgers, 256", "float64", burgers, wave),
    Case("vorticity, 64 x 64", "float64", vorticity, vortices, -1.0),
    Case("vorticity, 64 x 64", "float32", vorticity, vortices, -1.0),
)


def ours_run(stepper: Any, name: str, steps: int = STEPS) -> Callable[[Any], Any]:
    def run(u: Any) -> Any:
        def one(carry: Any, _: None) -> Any:
            state, i = carry
            return (stepper(state, i * stepper.step), i + 1.0), None

        start = (stepper.forward({name: u}), jnp.zeros(()))
        (state, _), _ = jax.lax.scan(one, start, length=steps)
        return stepper.backward(state)[name]

    return jax.jit(run)


def peer_runs(stepper: Any, sign: float) -> dict[str, Callable[[Any], Any]]:
    def by_spectrum(u: Any) -> Any:
        def one(state: Any, _: None) -> Any:
            return stepper.step_fourier(state), None

        d, n = stepper.num_spatial_dims, stepper.num_points
        state = exponax.fft(sign * u[None], num_spatial_dims=d)
        state, _ = jax.lax.scan(one, state, length=STEPS)
        return sign * exponax.ifft(state, num_spatial_dims=d, num_points=n)[0]

    repeated = exponax.repeat(stepper, STEPS)
    return {
        "exponax_repeat": jax.jit(lambda u: sign * repeated(sign * u[None])[0]),
        "exponax_step_fourier": jax.jit(by_spectrum),
    }


def measure(case: Case) -> dict[str, Any]:
    """Milliseconds of each method, the ratio, and the difference of the end states."""
    with jax.enable_x64(case.precision == "float64"):
        stepper, peer = case.make()
        name = stepper.split.function.evolving[0]
        start = jnp.broadcast_to(
            jnp.asarray(case.start(stepper.grid.coordinates)), stepper.grid.shape
        )
        start = start.astype(jnp.result_type(float))
        runs = {"pinnlab": ours_run(stepper, name), **peer_runs(peer, case.sign)}
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


def soliton_errors(steps: int) -> dict[str, float]:
    """The largest error at t = 1 of 3 sech^2((x - t) / 2), an exact solution for mu = 1."""
    length, n, step = 60.0, 256, 1.0 / steps
    domain = Domain(t=Axis(0, 1), x=Axis(-length / 2, length / 2, periodic=True))
    with jax.enable_x64(True):
        stepper = etdrk4(KortewegDeVries(mu=1.0, domain=domain), n, step)
        peer = exponax.stepper.KortewegDeVries(
            1, length, n, step, convection_scale=1.0, hyper_diffusivity=0.0, **same_modes(n)
        )
        x = jnp.asarray(stepper.grid.nodes["x"])
        start, end = (3.0 / jnp.cosh(0.5 * (x - t)) ** 2 for t in (0.0, 1.0))
        ours = ours_run(stepper, "u", steps)(start)
        theirs = jax.jit(exponax.repeat(peer, steps))(start[None])[0]
        return {
            "pinnlab": float(jnp.max(jnp.abs(ours - end))),
            "exponax": float(jnp.max(jnp.abs(theirs - end))),
        }


def orders(counts: tuple[int, ...] = (25, 50, 100, 200)) -> list[dict[str, Any]]:
    """Errors for each number of steps, with the order from the line before."""
    rows: list[dict[str, Any]] = []
    errors = [soliton_errors(count) for count in counts]
    for i, (count, error) in enumerate(zip(counts, errors, strict=True)):
        row: dict[str, Any] = {"case": "KdV soliton, 256", "steps": count}
        for method, value in error.items():
            order = f"{math.log2(errors[i - 1][method] / value):.2f}" if i else ""
            row |= {f"{method}_error": f"{value:.2e}", f"{method}_order": order}
        rows.append(row)
    return rows


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Print a table and write it beside this file, with the versions that made it."""
    about = {"device": jax.devices()[0].device_kind, "machine": platform.machine()}
    about |= {"python": platform.python_version()}
    about |= {package: version(package) for package in ("jax", "jaxlib", "exponax", "numpy")}
    print(aligned(rows))
    write_rows(HERE / name, [{**row, **about} for row in rows])
    print(f"-> {HERE / name}\n")


def main() -> None:
    write("results.csv", [{**measure(case), "steps": STEPS} for case in CASES])
    write("kdv_order.csv", orders())


if __name__ == "__main__":
    main()
