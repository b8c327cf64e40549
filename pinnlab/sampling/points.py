"""Samplers: pure functions of a key, so that a resumed run draws the same points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

Score = Callable[[Any], Any]  # (n, d) points of the unit cube -> (n,) magnitude of the residual


class Sampler(ABC):
    """Draws points in the unit cube."""

    @abstractmethod
    def __call__(self, key: Any, n: int, dims: int, score: Score, dtype: Any) -> Any:
        """(n, dims) points; *score* gives the residual's magnitude where a sampler wants it."""

    def keep(self, size: Any) -> Any:
        """Which of the points before stay when new ones are drawn: (n,) truths from the residual's
        (n,) magnitudes there. None for none."""
        return None

    def measure(self, n: int, dims: int, dtype: Any) -> Any:
        """The shares of the unit cube that the points stand for, times their number: (n,) numbers
        of mean one. None where all are alike."""
        return None


@dataclass(frozen=True)
class Uniform(Sampler):
    """Independent uniform points."""

    def __call__(self, key: Any, n: int, dims: int, score: Score, dtype: Any) -> Any:
        return jax.random.uniform(key, (n, dims), dtype)


@lru_cache(maxsize=32)
def _sobol(n: int, dims: int) -> np.ndarray:
    size = 1 << (n - 1).bit_length()  # the sequence is balanced at powers of two
    return qmc.Sobol(dims, scramble=True, rng=np.random.default_rng(0)).random(size)[:n]


@dataclass(frozen=True)
class Sobol(Sampler):
    """A scrambled Sobol set, shifted by a random vector at each draw.

    The shift modulo one keeps the set's evenness (Cranley & Patterson, 1976).
    """

    def __call__(self, key: Any, n: int, dims: int, score: Score, dtype: Any) -> Any:
        base = jnp.asarray(_sobol(n, dims), dtype)
        return (base + jax.random.uniform(key, (1, dims), dtype)) % 1.0


@dataclass(frozen=True)
class Adaptive(Sampler):
    r"""Points drawn with probability :math:`p \propto |r|^k / E|r|^k + c` (RAD).

    After Wu, Zhu, Tan, Kartha & Lu, Comput. Methods Appl. Mech. Eng. 403, 2023, 115671.

    Arguments:
        k, c: exponent and floor of the density.
        candidates: how many points are scored for each one kept.
        base: the sampler of the candidates.
    """

    k: float = 1.0
    c: float = 1.0
    candidates: int = 4
    base: Sampler = field(default_factory=Uniform)

    def __call__(self, key: Any, n: int, dims: int, score: Score, dtype: Any) -> Any:
        first, second = jax.random.split(key)
        points = self.base(first, n * self.candidates, dims, score, dtype)
        power = score(points) ** self.k
        density = power / (jnp.mean(power) + jnp.finfo(power.dtype).tiny) + self.c
        # Gumbel's trick: the n largest are a draw without replacement from the density
        noise = jax.random.gumbel(second, density.shape, density.dtype)
        _, chosen = jax.lax.top_k(jnp.log(density) + noise, n)
        return points[chosen]
