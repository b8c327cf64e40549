"""Time pinnlab's own Adam step of the Burgers residual against hand-written JAX steps.

    python experiments/adam_step/compare.py              # -> results.csv
    taskset -c 0 python experiments/adam_step/compare.py # -> results_one_core.csv

The work: 4,096 fixed points, 5 hidden layers of 64 tanh units, float32, the raw residual
``u_t + u u_x - nu u_xx`` of the network (no exact conditions), ``optax.adam(1e-3)``. Pinnlab's
side is what its trainer calls: ``Compiled.advance``, 100 steps in one compiled call. The
hand-written sides are pure JAX over the same parameters and points, also 100 steps a call, with
inputs scaled once and outside the loop. The fastest of them is the yardstick. All run in one
process, one after the other in every repetition, so that other work on the machine meets all of
them; the order is turned round in every other repetition.

Before the clock starts every side takes the same steps from the same parameters. The losses must
agree: to 1e-9 after 20 steps in float64, where a difference would be one of mathematics, and to
1e-3 after the 100 steps in float32, where rounding grows along the way. ``cpu_ms`` is processor
time, summed over cores: what a step costs on a machine that is busy otherwise.
"""

from __future__ import annotations

import functools
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from pinnlab.core.precision import precision
from pinnlab.core.rows import aligned, write_rows
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.models.model import Model
from pinnlab.networks.mlp import MLP
from pinnlab.optimizers.gradient import Gradient
from pinnlab.terms.problem import Problem
from pinnlab.terms.residual import ResidualTerm
from pinnlab.train.compiled import Compiled
from pinnlab.train.trainer import Phase
from pinnlab.train.weights import Fixed

STEPS, REPETITIONS, CHECKED_STEPS = 100, 10, 20
POINTS, WIDTH, DEPTH = 4096, 64, 5
HERE = Path(__file__).parent
EQUATION = Burgers()
ADAM = optax.adam(1e-3)

Layers = Any  # [(kernel, bias), ...]


# ---------------------------------------------------------------- hand-written residuals
# Inputs are (s, x) with s = 2 t - 1, so that u_t = 2 u_s. Pinnlab divides the residual by its
# natural scale, which is 2 here.


def network(layers: Layers, z: Any) -> Any:
    for kernel, bias in layers[:-1]:
        z = jnp.tanh(z @ kernel + bias)
    kernel, bias = layers[-1]
    return (z @ kernel + bias)[..., 0]


def residual_of(u: Any, u_s: Any, u_x: Any, u_xx: Any) -> Any:
    return u_s + 0.5 * u * u_x - 0.5 * EQUATION.nu * u_xx


def forward_over_reverse(layers: Layers, points: Any) -> Any:
    """A tangent along x of one reverse sweep, by vmap over points."""

    def one(point: Any) -> Any:
        sweep = jax.value_and_grad(functools.partial(network, layers))
        (u, slope), (_, turned) = jax.jvp(sweep, (point,), (jnp.array([0.0, 1.0], point.dtype),))
        return residual_of(u, slope[0], slope[1], turned[1])

    return jax.vmap(one)(points)


def forward_over_reverse_batched(layers: Layers, points: Any) -> Any:
    """The same without vmap: the reverse sweep of a whole batch."""

    def sweep(z: Any) -> Any:
        u, back = jax.vjp(functools.partial(network, layers), z)
        return u, back(jnp.ones_like(u))[0]

    along = jnp.zeros_like(points).at[:, 1].set(1.0)
    (u, slope), (_, turned) = jax.jvp(sweep, (points,), (along,))
    return residual_of(u, slope[:, 0], slope[:, 1], turned[:, 1])


def jvp_of_jvp(layers: Layers, points: Any) -> Any:
    """Forward mode only: along s, and twice along x."""
    f = functools.partial(network, layers)
    along_s = jnp.zeros_like(points).at[:, 0].set(1.0)
    along_x = jnp.zeros_like(points).at[:, 1].set(1.0)
    (u, u_x), (_, u_xx) = jax.jvp(lambda z: jax.jvp(f, (z,), (along_x,)), (points,), (along_x,))
    return residual_of(u, jax.jvp(f, (points,), (along_s,))[1], u_x, u_xx)


def taylor(layers: Layers, points: Any) -> Any:
    """Values, both slopes and the curvature along x, carried through the layers by hand."""
    kernel, bias = layers[0]
    z = points @ kernel + bias
    z_s, z_x, z_xx = jnp.zeros_like(z) + kernel[0], jnp.zeros_like(z) + kernel[1], None
    for kernel, bias in layers[1:]:
        h = jnp.tanh(z)
        d = 1.0 - h * h
        bent = -2.0 * h * d * z_x * z_x
        h_s, h_x, h_xx = d * z_s, d * z_x, bent if z_xx is None else bent + d * z_xx
        z, z_s, z_x, z_xx = h @ kernel + bias, h_s @ kernel, h_x @ kernel, h_xx @ kernel
    return residual_of(z[:, 0], z_s[:, 0], z_x[:, 0], z_xx[:, 0])


# ---------------------------------------------------------------- hand-written steps


def whole(residual: Callable[..., Any]) -> Callable[..., Any]:
    """Loss and gradient over all points at once."""
    return jax.value_and_grad(lambda layers, points: jnp.mean(residual(layers, points) ** 2))


def accumulated(residual: Callable[..., Any], chunks: int) -> Callable[..., Any]:
    """Loss and gradient summed over chunks of the points; 4 have temporaries of about 15 MB."""

    def value_and_grad(layers: Layers, points: Any) -> Any:
        def add(total: Any, part: Any) -> Any:
            return jax.tree.map(jnp.add, total, whole(residual)(layers, part)), None

        zero = jax.tree.map(jnp.zeros_like, (jnp.zeros((), points.dtype), layers))
        total, _ = jax.lax.scan(add, zero, points.reshape(chunks, -1, 2))
        return jax.tree.map(lambda x: x / chunks, total)

    return value_and_grad


def by_scan(step: Callable[..., Any], first: Any, steps: int) -> Any:
    return jax.lax.scan(lambda carry, _: (step(carry[0]), None), first, length=steps)[0]


def by_fori_loop(step: Callable[..., Any], first: Any, steps: int) -> Any:
    return jax.lax.fori_loop(0, steps, lambda _, carry: step(carry[0]), first)


def hand_written(value_and_grad: Callable[..., Any], steps: int, loop: Any = by_scan) -> Any:
    """A compiled call of *steps* steps that returns the end state and the last loss."""

    @jax.jit
    def run(layers: Layers, state: Any, points: Any) -> Any:
        def step(carry: Any) -> Any:
            layers, state = carry
            loss, grad = value_and_grad(layers, points)
            updates, state = ADAM.update(grad, state, layers)
            return (optax.apply_updates(layers, updates), state), loss

        return loop(step, ((layers, state), jnp.zeros((), points.dtype)), steps)

    return run


def peers(steps: int) -> dict[str, Callable[..., Any]]:
    ways = {
        "forward over reverse": whole(forward_over_reverse),
        "forward over reverse, batched vjp": whole(forward_over_reverse_batched),
        "Taylor": whole(taylor),
        "jvp of jvp": whole(jvp_of_jvp),
    }
    for chunks in (2, 4, 16, 32):
        ways[f"forward over reverse, {chunks} chunks"] = accumulated(forward_over_reverse, chunks)
        ways[f"Taylor, {chunks} chunks"] = accumulated(taylor, chunks)
    made = {name: hand_written(way, steps) for name, way in ways.items()}
    by_fori = hand_written(whole(forward_over_reverse), steps, by_fori_loop)
    return {"forward over reverse, fori_loop": by_fori, **made}


# ---------------------------------------------------------------- both sides on the same start


def runs(steps: int) -> dict[str, Callable[[], float]]:
    """For each side a call of *steps* steps from the same start, that returns the last loss."""
    model = Model(MLP(width=WIDTH, depth=DEPTH), exact=False, embed=False)
    problem = Problem(EQUATION, model, [ResidualTerm(EQUATION)])
    phase = Phase(Gradient(ADAM, chunk=steps), steps=steps, points=POINTS)
    compiled = Compiled(problem, phase, Fixed(), fresh=1024, seeds=np.arange(1))
    state = compiled.start(0, None, None)
    dense = state["params"]["network"]["params"]
    layers = [
        (dense[f"Dense_{i}"]["kernel"], dense[f"Dense_{i}"]["bias"]) for i in range(DEPTH + 1)
    ]
    batch = state["batch"]["residual"]
    points = jnp.stack([2.0 * batch["t"] - 1.0, batch["x"]], axis=1)
    calls = {
        name: lambda peer=peer: float(peer(layers, ADAM.init(layers), points)[1])
        for name, peer in peers(steps).items()
    }
    return {"pinnlab": lambda: float(compiled.advance(state, steps)[1]), **calls}


def checked(calls: dict[str, Callable[[], float]], tolerance: float) -> dict[str, float]:
    """The losses; an error where one is not pinnlab's."""
    losses = {name: call() for name, call in calls.items()}
    for name, loss in losses.items():
        apart = abs(loss / losses["pinnlab"] - 1.0)
        assert apart < tolerance, f"{name}: loss {loss} is {apart:.1e} from pinnlab's"
    return losses


def timed(calls: dict[str, Callable[[], float]]) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds a step, by the clock and of processor time, of interleaved repetitions."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for repetition in range(REPETITIONS):
        for name in list(calls)[:: -1 if repetition % 2 else 1]:
            before = time.perf_counter(), time.process_time()
            calls[name]()
            after = time.perf_counter(), time.process_time()
            taken[name].append(
                tuple(1e3 * (b - a) / STEPS for a, b in zip(before, after, strict=True))
            )
    return taken


def measure() -> list[dict[str, Any]]:
    with precision("float64"):
        checked(runs(CHECKED_STEPS), 1e-9)
    with precision("float32"):
        calls = runs(STEPS)
        losses, taken = checked(calls, 1e-3), timed(calls)
    figures = {}
    for name, times in taken.items():
        wall, processor = zip(*times, strict=True)
        figures[name] = {
            "median_ms": statistics.median(wall),
            "min_ms": min(wall),
            "cpu_ms": statistics.median(processor),
        }
    best = {key: min(f[key] for n, f in figures.items() if n != "pinnlab") for key in figures[name]}
    return [
        {"side": name}
        | {key: f"{value:.2f}" for key, value in figure.items()}
        | {key.replace("_ms", "_ratio"): f"{figure[key] / best[key]:.3f}" for key in figure}
        | {"loss": f"{losses[name]:.6e}"}
        for name, figure in figures.items()
    ]


def main() -> None:
    rows = measure()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = {"steps": STEPS, "repetitions": REPETITIONS, "cores": cores}
    file_name = "results_one_core.csv" if cores == 1 else "results.csv"
    about |= {"device": jax.devices()[0].device_kind, "machine": platform.machine()}
    about |= {"python": platform.python_version()}
    about |= {package: version(package) for package in ("jax", "jaxlib", "optax", "flax")}
    print(aligned(rows))
    write_rows(HERE / file_name, [{**row, **about} for row in rows])
    print(f"-> {HERE / file_name}")


if __name__ == "__main__":
    main()
