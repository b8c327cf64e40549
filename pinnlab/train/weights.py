"""Weights of the terms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnlab.core.errors import choose
from pinnlab.terms.problem import Problem


class Weighting(ABC):
    """Gives the terms' weights; updated once in every compiled chunk of steps."""

    values: Mapping[str, float]

    def init(self, problem: Problem) -> dict[str, Any]:
        """The first weights: those given, and one for the rest."""
        for name in self.values:
            choose("term (weights)", name, problem.by_name)
        dtype = jnp.result_type(float)
        return {n: jnp.asarray(self.values.get(n, 1.0), dtype) for n in problem.by_name}

    @abstractmethod
    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        """The weights for the next chunk."""


@dataclass(frozen=True)
class Fixed(Weighting):
    """Weights that stay: ``Fixed({"data": 10.0})``; terms not named have weight one."""

    values: Mapping[str, float] = field(default_factory=dict)

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        return weights


@dataclass(frozen=True)
class GradientNorm(Weighting):
    r"""Weights that give each term's gradient the same norm,
    :math:`\hat w_k = \sum_j\lVert\nabla L_j\rVert / \lVert\nabla L_k\rVert`, averaged over time.

    After Wang, Sankaran, Wang & Perdikaris, *An expert's guide to training physics-informed
    neural networks*, 2023, algorithm 1.
    """

    momentum: float = 0.9
    values: Mapping[str, float] = field(default_factory=dict)

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        slopes = jax.jacrev(lambda p: problem.losses(p, batch))(params)
        norms = {n: jnp.linalg.norm(ravel_pytree(slope)[0]) for n, slope in slopes.items()}
        total = sum(norms.values())
        floor = jnp.finfo(total.dtype).eps * total
        return {
            n: self.momentum * weights[n] + (1.0 - self.momentum) * total / (norms[n] + floor)
            for n in weights
        }
