"""Points that stay where the residual is large."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from pinnlab.sampling.points import Sampler, Score, Uniform


@dataclass(frozen=True)
class R3(Sampler):
    r"""Retain, resample, release: points with :math:`|r_i| > \overline{|r|}` stay, the others are
    drawn anew.

    Points gather where the residual is large and leave when it has fallen, without a density to
    estimate; those of a phase begin evenly. Each draw costs one evaluation of the residual.

    After Daw, Bu, Wang, Perdikaris & Karpatne, *Mitigating propagation failures in
    physics-informed neural networks using retain-resample-release (R3) sampling*, ICML 2023.

    Arguments:
        base: the sampler of new points.
    """

    base: Sampler = field(default_factory=Uniform)

    def __call__(self, key: Any, n: int, dims: int, score: Score, dtype: Any) -> Any:
        return self.base(key, n, dims, score, dtype)

    def keep(self, size: Any) -> Any:
        return size > jnp.mean(size)
