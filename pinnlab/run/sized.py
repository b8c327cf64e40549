"""How to train a network when nobody says: by the number of its parameters."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from pinnlab.equations.base import Equation
from pinnlab.models import Model
from pinnlab.networks import Waves
from pinnlab.optimizers import Gradient, LevenbergMarquardt, MatrixFree, SketchedGaussNewton
from pinnlab.sampling import Adaptive, Sobol
from pinnlab.train import Phase

_DENSE, _ROWS = 3_000, 20_000  # parameters and rows up to which a solve pays on two cores
_FEWEST = 300  # points, however small the network


def sized_phases(model: Model, equation: Equation, steps: int | None = None) -> tuple[Phase, ...]:
    """The phases for a model of an equation, cut after *steps*.

    Up to 3,000 parameters Levenberg-Marquardt with a dense factorization, on points that grow to
    three times the parameters; products of waves, which are nearly linear, by QR from little
    damping. Then sketched Gauss-Newton (matrix-free for waves), and beyond 20,000 parameters a
    first-order method.
    """
    made = jax.eval_shape(
        lambda key: model.init(key, equation, jnp.result_type(float)), jax.random.key(0)
    )
    size = sum(leaf.size for leaf in jax.tree.leaves(made))
    phases = _for_waves(size) if isinstance(model.network, Waves) else _for_networks(size)
    kept, left = [], steps if steps is not None else sys.maxsize
    for phase in phases:
        if left > 0:
            kept.append(replace(phase, steps=min(phase.steps, left)))
            left -= phase.steps
    return tuple(kept)


def _for_waves(size: int) -> tuple[Phase, ...]:
    if size > _DENSE:
        return (Phase(MatrixFree(), 500, min(_ROWS, 2 * size), Sobol(), 20),)
    method = LevenbergMarquardt(damping=1e-8, factorization="qr")
    return (Phase(method, 400, max(_FEWEST, 3 * size), Sobol(), 50),)


def _for_networks(size: int) -> tuple[Phase, ...]:
    sampler: Any = Adaptive()
    if size <= _DENSE:
        method, points = LevenbergMarquardt(), max(_FEWEST, size // 2)
        return (
            Phase(method, 100, points, sampler, 10),
            Phase(method, 150, 3 * points, sampler, 10),
            Phase(method, 300, 6 * points, sampler, 10),
        )
    if size <= _ROWS:
        return (Phase(SketchedGaussNewton(), 2_000, min(_ROWS, 2 * size), sampler, 20),)
    rate = optax.warmup_cosine_decay_schedule(0.0, 1e-3, 500, 20_000)
    return (Phase(Gradient(optax.adam(rate)), 20_000, 4096, sampler, 100),)
