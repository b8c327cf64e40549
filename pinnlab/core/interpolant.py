r"""Spectral interpolant: a smooth function kept as coefficients, with any derivative at any point.

.. math:: u(x) = \sum_{k_1\dots k_d} c_{k_1\dots k_d} \prod_i \varphi_{k_i}(x_i)

with :math:`1, \cos k\theta, \sin k\theta` on periodic axes and Chebyshev polynomials
:math:`T_k(\xi)` on the others. Values at the nodes give the coefficients. The functions of one
axis come from the first by addition theorems, some products for all of them, so that they are
differentiated automatically in every mode, at the ends too. Reference: Trefethen, *Approximation
Theory and Approximation Practice*, 2013.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core import stencils
from pinnlab.core.domain import Axis
from pinnlab.core.errors import PinnlabError

_NOISE = (8.0, 1e3)  # units in the last place: how large rounding may be, at least and at most


@dataclass(frozen=True)
class Basis:
    """The n functions of one axis; hashable, so static under ``jax.jit``.

    Arguments:
        lower, length: of the axis, in its units.
        n: how many; odd on a periodic axis, so that each cosine has its sine.
        periodic: sines and cosines instead of Chebyshev polynomials.

    Raises:
        PinnlabError: fewer than three functions, or an even number on a periodic axis.
    """

    lower: float
    length: float
    n: int
    periodic: bool = False

    def __post_init__(self) -> None:
        if self.n < 3 or (self.periodic and self.n % 2 == 0):
            raise PinnlabError(
                f"an interpolant needs at least 3 nodes an axis, and an odd number of them on a "
                f"periodic one; got {self.n}"
            )

    @classmethod
    def of(cls, axis: Axis, n: int) -> Basis:
        """The basis of an *axis*; one more function where a periodic one needs it."""
        return cls(axis.lower, axis.length, n | 1 if axis.periodic else n, axis.periodic)

    def nodes(self) -> np.ndarray:
        """The (n,) places whose values give the coefficients."""
        if self.periodic:
            return self.lower + self.length * (np.arange(self.n) / self.n)
        return self.lower + 0.5 * self.length * (1.0 + stencils.chebyshev_nodes(self.n))

    def analysis(self) -> np.ndarray:
        """The (n, n) matrix that takes values at the nodes to coefficients."""
        j = np.arange(self.n)
        if not self.periodic:
            halves = np.where((j == 0) | (j == self.n - 1), 0.5, 1.0)
            angles = np.pi / (self.n - 1) * np.outer(j, j[::-1])
            return 2.0 / (self.n - 1) * np.outer(halves, halves) * np.cos(angles)
        turns = np.outer(j[1 : self.n // 2 + 1], j) % self.n / self.n
        constant = np.full((1, self.n), 0.5)
        waves = np.cos(2.0 * np.pi * turns), np.sin(2.0 * np.pi * turns)
        return 2.0 / self.n * np.concatenate([constant, *waves])

    def __call__(self, x: Any) -> Any:
        """The (n,) functions at the coordinate *x*, one number."""
        share = (x - self.lower) / self.length
        return self._waves(share) if self.periodic else self._polynomials(2.0 * share - 1.0)

    def _waves(self, share: Any) -> Any:
        """From the first wave by the addition theorem, twice as many each time."""
        angle, most = 2.0 * math.pi * share, self.n // 2
        c, s = jnp.cos(angle)[None], jnp.sin(angle)[None]
        while c.shape[0] < most:
            m = min(c.shape[0], most - c.shape[0])
            last_c, last_s, low_c, low_s = c[-1:], s[-1:], c[:m], s[:m]
            c = jnp.concatenate([c, last_c * low_c - last_s * low_s])
            s = jnp.concatenate([s, last_s * low_c + last_c * low_s])
        return jnp.concatenate([jnp.ones_like(c[:1]), c, s])

    def _polynomials(self, unit: Any) -> Any:
        """T_0 to T_(n-1) by T_(m+k) = 2 T_m T_k - T_(m-k), twice as many each time."""
        t = jnp.stack([jnp.ones_like(unit), unit])
        while t.shape[0] < self.n:
            top = t.shape[0] - 1
            m = min(top, self.n - 1 - top)
            t = jnp.concatenate([t, 2.0 * t[-1:] * t[1 : m + 1] - t[top - m : top][::-1]])
        return t


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Interpolant:
    """A function of the coordinates, given by coefficients over the tensor product of bases.

    Arguments:
        axes: names and bases of the axes, in the order of the dimensions.
        coefficients: the leaf, of shape (n_1, ..., n_d).
    """

    axes: tuple[tuple[str, Basis], ...] = field(metadata={"static": True})
    coefficients: Any

    def at(self, x: Mapping[str, Any]) -> Any:
        """The value at one point: scalars by axis name."""
        value = None
        for name, basis in reversed(self.axes):
            here = jnp.asarray(x[name])
            if value is None:
                value = jnp.asarray(self.coefficients, here.dtype)
            value = value @ basis(here)
        return jnp.asarray(self.coefficients) if value is None else value


def nodes(axes: Sequence[tuple[str, Basis]]) -> dict[str, np.ndarray]:
    """The nodes of the tensor product, (N,) for each axis, the last one fastest."""
    grids = np.meshgrid(*(basis.nodes() for _, basis in axes), indexing="ij")
    return {name: grid.ravel() for (name, _), grid in zip(axes, grids, strict=True)}


def interpolate(axes: Sequence[tuple[str, Basis]], values: Any) -> Interpolant:
    """The interpolant through the (N,) *values* at :func:`nodes`.

    Coefficients that are rounding errors of the values are dropped: derivatives would raise them
    by the wave number's powers. How large these errors are is seen at the end of the series.
    """
    made = jnp.reshape(values, [basis.n for _, basis in axes])
    for dim, (_, basis) in enumerate(axes):
        matrix = jnp.asarray(basis.analysis(), made.dtype)
        made = jnp.moveaxis(jnp.tensordot(matrix, made, axes=(1, dim)), 0, dim)
    ends = [jnp.max(jnp.abs(made.take(_end(basis), dim))) for dim, (_, basis) in enumerate(axes)]
    unit = jnp.finfo(made.dtype).eps * jnp.max(jnp.abs(values))
    floor = jnp.clip(2.0 * sum(ends), _NOISE[0] * unit, _NOISE[1] * unit)
    return Interpolant(tuple(axes), jnp.where(jnp.abs(made) > floor, made, jnp.zeros_like(made)))


def _end(basis: Basis) -> np.ndarray:
    """The places of the last eighth of an axis's coefficients."""
    k = np.arange(basis.n)
    degree = np.where(k > basis.n // 2, k - basis.n // 2, k) if basis.periodic else k
    return np.flatnonzero(degree > 0.875 * degree.max())
