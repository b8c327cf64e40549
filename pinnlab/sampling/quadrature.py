"""Points with the weights of an integral."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

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

    The number of points is the largest power of whole nodes an axis that is at most the one asked
    for: 1,000 points on two axes are 31 x 31.
    """

    def __call__(self, key: Any, n: int, dims: int, score: Score, dtype: Any) -> Any:
        nodes = _rule(_nodes_an_axis(n, dims))[0]
        grid = np.meshgrid(*[nodes] * dims, indexing="ij")
        return jnp.asarray(np.stack(grid, axis=-1).reshape(-1, dims), dtype)

    def measure(self, n: int, dims: int, dtype: Any) -> Any:
        weights = _rule(_nodes_an_axis(n, dims))[1]
        shares = reduce(np.multiply.outer, [weights] * dims).reshape(-1)
        return jnp.asarray(shares * shares.size, dtype)


def _nodes_an_axis(n: int, dims: int) -> int:
    m = max(1, round(n ** (1.0 / dims)))
    return m if m**dims <= n else m - 1


@cache
def _rule(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(m)
    return 0.5 * (nodes + 1.0), 0.5 * weights
