r"""Features and nodes placed where a solution changes: tanh steps of given centres and slopes.

.. math:: \varphi_k(x) = \tanh\bigl(a_k (x - c_k)\bigr)

A spacing h(x) of the centres follows from profiles of the solution: its length scale
:math:`\min_t \sqrt{\max|u| / |u_{xx}|}`, which neighbours may exceed by *gradation* times their
distance at most. Centres and nodes are equidistant under the density 1/h. After Calabrò, Fabiani &
Siettos, Comput. Methods Appl. Mech. Eng. 387, 2021, 114188, where centres and slopes are drawn at
random.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.domain import Axis, Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.schemes import Chebyshev, Scheme

_FEWEST = 24
_CUTOFF = 1e-13  # of singular values, relative to the largest


@dataclass(frozen=True)
class Placement(Scheme):
    """Frozen tanh features of one space axis, and a scheme on nodes that follow them; hashable.

    Arguments:
        centres, slopes: of the features, in the axis's units.
        places, measure: nodes and quadrature weights.
    """

    centres: tuple[float, ...]
    slopes: tuple[float, ...]
    places: tuple[float, ...]
    measure: tuple[float, ...]

    @property
    def count(self) -> int:
        """The number of features."""
        return len(self.centres)

    def check(self, name: str, axis: Axis, n: int) -> None:
        if axis.periodic or n != len(self.places):
            raise PinnlabError(
                f"axis '{name}': placed features have {len(self.places)} nodes and are for an "
                f"axis with two ends; got {n} points"
            )

    def nodes(self, axis: Axis, n: int) -> np.ndarray:
        return np.asarray(self.places)

    def weights(self, axis: Axis, n: int) -> np.ndarray:
        return np.asarray(self.measure)

    def matrix(self, axis: Axis, n: int, order: int) -> np.ndarray:
        return self._from_nodes(axis, self.nodes(axis, n), order)

    def interpolate(self, axis: Axis, n: int, points: Any) -> np.ndarray:
        return self._from_nodes(axis, np.asarray(points, float), 0)

    def _from_nodes(self, axis: Axis, points: np.ndarray, order: int) -> np.ndarray:
        fit, combine = _fit(self, axis)
        return (self._table(axis, points, order) @ combine) @ fit

    def _table(self, axis: Axis, points: np.ndarray, order: int) -> np.ndarray:
        """(m, count + 2): a derivative of 1, x and the features."""
        slopes = np.asarray(self.slopes)
        steps = _tanh(slopes * (points[:, None] - np.asarray(self.centres)), order)
        unit = np.asarray(axis.unit_interval(points), float)
        line = (unit, np.full(len(points), 2.0 / axis.length))
        zero = np.zeros(len(points))
        straight = [
            np.ones(len(points)) if order == 0 else zero,
            line[order] if order < 2 else zero,
        ]
        return np.column_stack([*straight, steps * slopes**order])


@lru_cache(maxsize=8)
def _fit(placement: Placement, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Least squares from values at the nodes, in two steps: (k, n) to combinations of features that
    can be told apart, and (count + 2, k) from them to the features.

    Their product would lose the digits that are gained by small combinations of large features.
    """
    root = np.sqrt(np.asarray(placement.measure))[:, None]
    table = root * placement._table(axis, np.asarray(placement.places), 0)
    _, size, rows = np.linalg.svd(table, full_matrices=False)
    kept = size > _CUTOFF * size[0]
    combine = rows[kept].T / size[kept]
    q, r = np.linalg.qr(table @ combine)
    return np.linalg.solve(r, q.T * root.T), combine


def _tanh(z: np.ndarray, order: int) -> np.ndarray:
    """The derivative of *order* of tanh. With T = tanh z, that of p(T) is p'(T)(1 - T^2)."""
    polynomial = np.polynomial.Polynomial([0.0, 1.0])
    for _ in range(order):
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([1.0, 0.0, -1.0])
    return np.asarray(polynomial(np.tanh(z)))


@dataclass(frozen=True)
class PlacedFeatures:
    """The features of a :class:`Placement` at one point of a domain with one space axis."""

    domain: Domain
    placement: Placement

    @property
    def count(self) -> int:
        """The number of features."""
        return self.placement.count

    def __call__(self, point: Any) -> Any:
        """(count,) the features at one point."""
        x = jnp.asarray(point[self.domain.space[0]])
        slopes = jnp.asarray(self.placement.slopes, x.dtype)
        return jnp.tanh(slopes * (x - jnp.asarray(self.placement.centres, x.dtype)))


def place(
    axis: Axis,
    x: np.ndarray,
    profiles: np.ndarray,
    density: float,
    overlap: float = 4.0,
    gradation: float = 0.4,
    ratio: float = 2.0,
) -> Placement:
    """Place features by (T, n) *profiles* of a solution at (n,) equidistant *x*.

    Arguments:
        density: features for each spacing h; 6 to 20.
        overlap: width of a feature, 1/slope, over the distance to its neighbour; 2 to 5.
        gradation: the most by which the spacing grows over a length of one.
        ratio: nodes for each feature.
    """
    step = x[1] - x[0]
    bend = np.max(np.abs(np.diff(profiles, 2, axis=1)), axis=0) / step**2
    size = np.max(np.abs(profiles)) + np.finfo(float).tiny
    scale = 1.0 / np.sqrt(np.pad(bend, 1, mode="edge") / size + (np.pi / axis.length) ** 2)
    spacing = np.min(scale[None, :] + gradation * np.abs(x[:, None] - x[None, :]), axis=1)
    share = np.concatenate([[0.0], np.cumsum(0.5 * step * (1 / spacing[1:] + 1 / spacing[:-1]))])
    total = share[-1]
    count = max(_FEWEST, round(density * total))
    beyond = overlap / count  # features of the ends reach in from outside
    wanted = total * np.linspace(-beyond, 1.0 + beyond, count)
    centres = np.interp(wanted, share, x)
    centres += np.minimum(wanted, 0.0) * spacing[0] + np.maximum(wanted - total, 0) * spacing[-1]
    apart = (wanted[1] - wanted[0]) * np.interp(centres, x, spacing)
    slopes = 1.0 / (overlap * apart)
    unit = Axis(0.0, total)
    nodes = round(ratio * count)
    places = np.interp(Chebyshev().nodes(unit, nodes), share, x)
    measure = Chebyshev().weights(unit, nodes) * np.interp(places, x, spacing)
    return Placement(*(tuple(map(float, a)) for a in (centres, slopes, places, measure)))
