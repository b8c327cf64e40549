"""Points with the weights of an integral."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.sampling.points import Sampler, Score


@dataclass(frozen=True)
class Quadrature(Sampler):
    r"""The tensor grid of Gauss-Legendre nodes, with its weights as the points' shares.

    The loss then is the integral :math:`\int r^2` up to :math:`2m - 1` degrees of a polynomial
    for m nodes an axis, where random points leave an error of :math:`n^{-1/2}`. For smooth
    solutions on two axes, three at most. The nodes are the same at every draw; a network with
    more freedom than there are points hides its error between them, which the loss on fresh
    points shows.

    After Abramowitz & Stegun, *Handbook of Mathematical Functions*, 1964, 25.4.30.

    Without *nodes*, the number of points is the largest power of whole nodes an axis that is at
    most the one asked for: 1,000 points on two axes are 31 x 31.

    Arguments:
        nodes: how many an axis, in the domain's order; at most the points asked for in all.
        even: axes with equidistant nodes instead, which integrate waves of a periodic axis best.

    Raises:
        PinnlabError: *nodes* or *even* that do not fit the axes, or more than points asked for.
    """

    nodes: Sequence[int] = ()
    even: Sequence[int] = ()

    def __call__(self, key: Any, n: int, dims: int, score: Score, dtype: Any) -> Any:
        grid = np.meshgrid(*(nodes for nodes, _ in self._rules(n, dims)), indexing="ij")
        return jnp.asarray(np.stack(grid, axis=-1).reshape(-1, dims), dtype)

    def measure(self, n: int, dims: int, dtype: Any) -> Any:
        shares = reduce(np.multiply.outer, (w for _, w in self._rules(n, dims))).reshape(-1)
        return jnp.asarray(shares * shares.size, dtype)

    def _rules(self, n: int, dims: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Nodes and weights of each axis, on [0, 1]."""
        counts = tuple(self.nodes) or (_nodes_an_axis(n, dims),) * dims
        if len(counts) != dims or not set(self.even) <= set(range(dims)):
            raise PinnlabError(
                f"sampler: nodes={list(self.nodes)} and even={list(self.even)} do not fit {dims} "
                "axes; give a number for each axis, and indices from 0 of those that are even"
            )
        if math.prod(counts) > n:
            raise PinnlabError(
                f"sampler: nodes={list(self.nodes)} make {math.prod(counts)} points, but the "
                f"phase has points={n}"
            )
        return [_even(m) if i in self.even else _rule(m) for i, m in enumerate(counts)]


def _nodes_an_axis(n: int, dims: int) -> int:
    m = max(1, round(n ** (1.0 / dims)))
    return m if m**dims <= n else m - 1


def _even(m: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(m) / m, np.full(m, 1.0 / m)


@cache
def _rule(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(m)
    return 0.5 * (nodes + 1.0), 0.5 * weights
