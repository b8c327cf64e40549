"""Time pinnlab's own Adam step of the Burgers residual against hand-written JAX steps.

    python experiments/adam_step/compare.py

The work: 4,096 fixed points, 5 hidden layers of 64 tanh units, float32, the raw residual
``u_t + u u_x - nu u_xx`` of the network (no exact conditions), ``optax.adam(1e-3)``. Pinnlab's
side is what its trainer calls: ``Compiled.advance``, 100 steps in one compiled call. The
hand-written sides are pure JAX over the same parameters and points, also 100 steps a call, with
inputs scaled once and outside the loop. The fastest of them is the yardstick. All run in one
process, one after the other in every repetition, so that other work on the machine meets all of
them; the order is turned round in every other repetition.

Before the clock starts every side takes the same steps from the same parameters. The losses must
agree: to 1e-9 in float64, where a difference would be one of mathematics, and to 1e-3 in float32,
where rounding grows along the way.
"""

from __future__ import annotations

import csv
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
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.models.model import Model
from pinnlab.networks.mlp import MLP
from pinnlab.optimizers.gradient import Gradient
from pinnlab.terms.problem import Problem
from pinnlab.terms.residual import ResidualTerm
from pinnlab.train.compiled import Compiled
from pinnlab.train.trainer import Phase
from pinnlab.train.weights import Fixed

STEPS, REPETITIONS, POINTS, WIDTH, DEPTH = 100, 12, 4096, 64, 5
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
    (u, u_x), (_, u_xx) = jax.jvp(
        lambda z: jax.jvp(f, (z,), (along_x,)), (points,), (along_x,)
    )
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
    """Loss and gradient summed over chunks of the points."""

    def value_and_grad(layers: Layers, points: Any) -> Any:
        parts = points.reshape(chunks, -1, 2)

        def add(total: Any, part: Any) -> Any:
            return jax.tree.map(jnp.add, total, whole(residual)(layers, part)), None

        zero = jax.tree.map(jnp.zeros_like, (jnp.zeros((), points.dtype), layers))
        total, _ = jax.lax.scan(add, zero, parts)
        return jax.tree.map(lambda x: x / chunks, total)

    return value_and_grad


def by_scan(step: Callable[..., Any], layers: Layers, state: Any) -> Any:
    carry, losses = jax.lax.scan(lambda c, _: step(c), (layers, state), length=STEPS)
    return carry, losses[-1]


def by_fori_loop(step: Callable[..., Any], layers: Layers, state: Any) -> Any:
    first = ((layers, state), jnp.zeros((), layers[0][0].dtype))
    return jax.lax.fori_loop(0, STEPS, lambda _, c: step(c[0]), first)


def hand_written(value_and_grad: Callable[..., Any], loop: Callable[..., Any] = by_scan) -> Any:
    @jax.jit
    def run(layers: Layers, state: Any, points: Any) -> Any:
        def step(carry: Any) -> Any:
            layers, state = carry
            loss, grad = value_and_grad(layers, points)
            updates, state = ADAM.update(grad, state, layers)
            return (optax.apply_updates(layers, updates), state), loss

        return loop(step, layers, state)

    return run


PEERS = {
    "forward_over_reverse, scan": hand_written(whole(forward_over_reverse)),
    "forward_over_reverse, fori_loop": hand_written(whole(forward_over_reverse), by_fori_loop),
    "forward_over_reverse batched, scan": hand_written(whole(forward_over_reverse_batched)),
    "forward_over_reverse, 4 chunks": hand_written(accumulated(forward_over_reverse, 4)),
    "forward_over_reverse, 8 chunks": hand_written(accumulated(forward_over_reverse, 8)),
    "taylor, scan": hand_written(whole(taylor)),
    "taylor, 4 chunks": hand_written(accumulated(taylor, 4)),
    "taylor, 8 chunks": hand_written(accumulated(taylor, 8)),
    "jvp_of_jvp, scan": hand_written(whole(jvp_of_jvp)),
}


# ---------------------------------------------------------------- both sides on the same start


def runs() -> dict[str, Callable[[], float]]:
    """For each side a call of STEPS steps from the same start, that returns the last loss."""
    model = Model(MLP(width=WIDTH, depth=DEPTH), exact=False, embed=False)
    problem = Problem(EQUATION, model, [ResidualTerm(EQUATION)])
    phase = Phase(Gradient(ADAM, chunk=STEPS), steps=STEPS, points=POINTS)
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
        for name, peer in PEERS.items()
    }
    return {"pinnlab": lambda: float(compiled.advance(state, STEPS)[1]), **calls}


def check(losses: dict[str, float], tolerance: float) -> None:
    """Raise where a side's loss is not pinnlab's."""
    for name, loss in losses.items():
        apart = abs(loss / losses["pinnlab"] - 1.0)
        assert apart < tolerance, f"{name}: loss {loss} is {apart:.1e} from pinnlab's"


def measure() -> list[dict[str, Any]]:
    with precision("float64"):
        check({name: call() for name, call in runs().items()}, 1e-9)
    with precision("float32"):
        calls = runs()
        losses = {name: call() for name, call in calls.items()}
        check(losses, 1e-3)
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for repetition in range(REPETITIONS):
            for name in list(calls)[:: 1 if repetition % 2 else -1]:
                before = time.perf_counter()
                calls[name]()
                taken[name].append(1e3 * (time.perf_counter() - before) / STEPS)
    best = {
        kind: min(kind(times) for name, times in taken.items() if name != "pinnlab")
        for kind in (statistics.median, min)
    }
    return [
        {
            "side": name,
            "median_ms": f"{statistics.median(times):.2f}",
            "min_ms": f"{min(times):.2f}",
            "median_ratio": f"{statistics.median(times) / best[statistics.median]:.3f}",
            "min_ratio": f"{min(times) / best[min]:.3f}",
            "loss": f"{losses[name]:.7f}",
        }
        for name, times in taken.items()
    ]


def main() -> None:
    rows = measure()
    about = {"steps": STEPS, "repetitions": REPETITIONS, "cores": os.cpu_count()}
    about |= {"device": jax.devices()[0].device_kind, "machine": platform.machine()}
    about |= {"python": platform.python_version()}
    about |= {package: version(package) for package in ("jax", "jaxlib", "optax", "flax")}
    widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
    for line in [dict(zip(widths, widths, strict=True)), *rows]:
        print("  ".join(str(line[key]).rjust(width) for key, width in widths.items()))
    with (HERE / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *about])
        writer.writeheader()
        writer.writerows({**row, **about} for row in rows)
    print(f"-> {HERE / 'results.csv'}")


if __name__ == "__main__":
    main()
