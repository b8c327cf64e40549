"""Schemes: how one axis of a grid is laid out, differentiated and interpolated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core import stencils
from pinnlab.core.banded import Operator, apply, others
from pinnlab.core.domain import Axis
from pinnlab.core.errors import PinnlabError


class Scheme(ABC):
    """The layout of n nodes on one axis with their derivatives; frozen and hashable."""

    staggered: bool = False
    equidistant: bool = False

    @abstractmethod
    def check(self, name: str, axis: Axis, n: int) -> None:
        """Raise :class:`PinnlabError` where the scheme does not fit the axis called *name*."""

    @abstractmethod
    def nodes(self, axis: Axis, n: int) -> np.ndarray:
        """The (n,) nodes, ascending, in the axis's units."""

    @abstractmethod
    def weights(self, axis: Axis, n: int) -> np.ndarray:
        """The (n,) weights of a quadrature over the axis."""

    @abstractmethod
    def matrix(self, axis: Axis, n: int, order: int) -> np.ndarray:
        """The (n, n) matrix of the derivative of *order*."""

    @abstractmethod
    def interpolate(self, axis: Axis, n: int, points: Any) -> np.ndarray:
        """The (m, n) matrix that takes values at the nodes to those at *points* (m,)."""

    def ends(self, axis: Axis, n: int) -> np.ndarray:
        """The (2, n) first derivatives at the lower and at the upper end."""
        return self.matrix(axis, n, 1)[[0, -1]]

    def derivative(self, axis: Axis, n: int, order: int, values: Any, dim: int) -> Any:
        """The derivative of *order* of *values* along their dimension *dim*."""
        return apply(_operator(self, axis, n, order, "nodes"), values, dim)

    def truncate(self, values: Any, dim: int) -> Any:
        """*values* without what the scheme dealiases along dimension *dim*."""
        return values


@dataclass(frozen=True)
class Fourier(Scheme):
    """n equidistant nodes of a periodic axis, differentiated by the fast Fourier transform.

    Odd derivatives are zero at the Nyquist mode, which a real grid cannot tell from its negative.
    With *dealias* the upper third of the modes is dropped from whatever is differentiated and
    from the right-hand side, so that products of two do not fold back (Orszag, 1971).
    """

    dealias: bool = False
    equidistant = True

    def check(self, name: str, axis: Axis, n: int) -> None:
        if not axis.periodic:
            raise PinnlabError(
                f"axis '{name}' is not periodic, which a Fourier grid needs: use Chebyshev() or "
                "FiniteDifference(), or declare the axis with periodic=True"
            )
        _at_least(name, "Fourier", n, 4)

    def nodes(self, axis: Axis, n: int) -> np.ndarray:
        return axis.lower + axis.length * (np.arange(n) / n)

    def weights(self, axis: Axis, n: int) -> np.ndarray:
        return np.full(n, axis.length / n)

    def symbol(self, axis: Axis, n: int, order: int) -> np.ndarray:
        """(ik)^order over the modes of ``rfft``, complex."""
        mode = np.arange(n // 2 + 1)
        symbol = (2j * np.pi / axis.length * mode) ** order
        if self.dealias:
            symbol = np.where(3 * mode < n, symbol, 0.0)
        return np.where((order % 2 == 1) & (2 * mode == n), 0.0, symbol)

    def matrix(self, axis: Axis, n: int, order: int) -> np.ndarray:
        symbol = self.symbol(axis, n, order)[:, None]
        return np.fft.irfft(symbol * np.fft.rfft(np.eye(n), axis=0), n, axis=0)

    def derivative(self, axis: Axis, n: int, order: int, values: Any, dim: int) -> Any:
        return self.restore(axis, n, order, jnp.fft.rfft(values, axis=dim), dim)

    def restore(self, axis: Axis, n: int, order: int, spectrum: Any, dim: int) -> Any:
        """The derivative of *order* from the ``rfft`` of the values along *dim*."""
        symbol = np.expand_dims(self.symbol(axis, n, order), others(spectrum.ndim, dim))
        return jnp.fft.irfft(spectrum * jnp.asarray(symbol, spectrum.dtype), n, axis=dim)

    def truncate(self, values: Any, dim: int) -> Any:
        if not self.dealias:
            return values
        n = values.shape[dim]
        return self.derivative(Axis(0.0, 1.0, periodic=True), n, 0, values, dim)

    def interpolate(self, axis: Axis, n: int, points: Any) -> np.ndarray:
        shift = (np.asarray(points, float) - axis.lower) / axis.length * n
        return stencils.trigonometric(n, shift)


@dataclass(frozen=True)
class Chebyshev(Scheme):
    """n Gauss-Lobatto nodes, both ends included, ascending; derivatives by full matrices."""

    def check(self, name: str, axis: Axis, n: int) -> None:
        if axis.periodic:
            raise PinnlabError(
                f"axis '{name}' is periodic: use Fourier() or FiniteDifference() on it; "
                "Chebyshev() is for an axis with two ends"
            )
        _at_least(name, "Chebyshev", n, 3)

    def nodes(self, axis: Axis, n: int) -> np.ndarray:
        nodes = axis.lower + 0.5 * axis.length * (1.0 + stencils.chebyshev_nodes(n))
        nodes[-1] = axis.upper
        return nodes

    def weights(self, axis: Axis, n: int) -> np.ndarray:
        """Clenshaw-Curtis weights."""
        k = np.arange(n)
        moments = np.zeros(n)
        moments[::2] = 2.0 / (1.0 - k[::2] ** 2.0)  # the integral of each even polynomial
        angle = np.pi * np.outer(k, k) / (n - 1)
        ends = np.where(np.isin(k, (0, n - 1)), 0.5, 1.0)
        return axis.length / (n - 1) * ends * (np.cos(angle) @ (ends * moments))

    def matrix(self, axis: Axis, n: int, order: int) -> np.ndarray:
        return stencils.chebyshev(n, order) * (2.0 / axis.length) ** order

    def interpolate(self, axis: Axis, n: int, points: Any) -> np.ndarray:
        weights = (-1.0) ** np.arange(n)
        weights[[0, -1]] *= 0.5
        # In the axis's own units, so that a point that is a node gives its value to the last digit.
        return stencils.barycentric(self.nodes(axis, n), weights, np.asarray(points, float))


@dataclass(frozen=True)
class FiniteDifference(Scheme):
    """n equidistant nodes (both ends included; without the upper one on a periodic axis).

    Derivatives are of order *accuracy* (2, 4 or 6), by one-sided stencils near the ends. With
    accuracy 6 those are of order 4: stencils of order 6 make waves grow there, at a rate that
    rises with n (found from the eigenvalues), whereas the solution of a second-order equation
    still converges with order 6, two more than its closure (Svard & Nordstrom, *J. Comput. Phys.*
    218, 2006, 333-352). Fluxes go through the midpoints (:meth:`half`), where they are compact
    and free of odd-even modes.
    """

    accuracy: int = 2
    staggered = True
    equidistant = True

    def __post_init__(self) -> None:
        if self.accuracy not in (2, 4, 6):
            raise PinnlabError(f"FiniteDifference: accuracy is 2, 4 or 6, not {self.accuracy!r}")

    def check(self, name: str, axis: Axis, n: int) -> None:
        _at_least(name, f"FiniteDifference({self.accuracy})", n, 2 * self.accuracy + 2)

    def nodes(self, axis: Axis, n: int) -> np.ndarray:
        if axis.periodic:
            return axis.lower + axis.length * (np.arange(n) / n)
        return np.linspace(axis.lower, axis.upper, n)

    def midpoints(self, axis: Axis, n: int) -> np.ndarray:
        """The places between the nodes: n - 1, or n on a periodic axis."""
        count = n if axis.periodic else n - 1
        return axis.lower + (np.arange(count) + 0.5) * self._spacing(axis, n)

    def weights(self, axis: Axis, n: int) -> np.ndarray:
        """Trapezoidal weights with end corrections of the scheme's order."""
        weights = np.full(n, self._spacing(axis, n))
        if not axis.periodic:
            ends = _end_weights(self.accuracy)
            weights[: len(ends)] *= ends
            weights[-len(ends) :] *= ends[::-1]
        return weights

    def matrix(self, axis: Axis, n: int, order: int) -> np.ndarray:
        if order == 0:
            return np.eye(n)
        central = 2 * ((order + self.accuracy - 1) // 2) + 1
        closure = order + self._near_ends
        if max(central, closure) > n:
            raise PinnlabError(
                f"a derivative of order {order} by FiniteDifference({self.accuracy}) needs at "
                f"least {max(central, closure)} points an axis, got {n}"
            )
        place = np.arange(n, dtype=float)
        if axis.periodic:
            matrix = stencils.circular(place, n, order, central)
        else:
            matrix = stencils.local(place, n, order, central, closure)
        return matrix / self._spacing(axis, n) ** order

    def to_midpoints(self, axis: Axis, n: int, order: int) -> np.ndarray:
        """Nodes to midpoints: the value (*order* 0) or a derivative there."""
        p = self.accuracy
        central = p + 2 * (order // 2)
        place = np.arange(n if axis.periodic else n - 1) + 0.5
        if axis.periodic:
            matrix = stencils.circular(place, n, order, central)
        else:
            closure = central + 2 if p == self._near_ends else central
            matrix = stencils.extended(place, n, order, central, closure)
        return matrix / self._spacing(axis, n) ** order

    def from_midpoints(self, axis: Axis, n: int) -> np.ndarray:
        """Midpoints to nodes: the first derivative."""
        place, p = np.arange(n) - 0.5, self.accuracy
        if axis.periodic:
            matrix = stencils.circular(place, n, 1, p)
        else:
            matrix = stencils.local(place, n - 1, 1, p, self._near_ends + 1)
        return matrix / self._spacing(axis, n)

    def half(self, axis: Axis, n: int, order: int, values: Any, dim: int) -> Any:
        """:meth:`to_midpoints` of *values* along dimension *dim*."""
        return apply(_operator(self, axis, n, order, "to"), values, dim)

    def whole(self, axis: Axis, n: int, values: Any, dim: int) -> Any:
        """:meth:`from_midpoints` of *values* along dimension *dim*."""
        return apply(_operator(self, axis, n, 1, "from"), values, dim)

    def interpolate(self, axis: Axis, n: int, points: Any) -> np.ndarray:
        at = (np.asarray(points, float) - axis.lower) / self._spacing(axis, n)
        fit = stencils.polynomial_periodic if axis.periodic else stencils.polynomial
        return fit(n, at, self.accuracy + 1)

    @property
    def _near_ends(self) -> int:
        return min(self.accuracy, 4)

    def ends(self, axis: Axis, n: int) -> np.ndarray:
        nodes = np.arange(self.accuracy + 1.0)
        row = np.zeros(n)
        row[: len(nodes)] = stencils.fornberg(0.0, nodes, 1)
        return np.stack([row, -row[::-1]]) / self._spacing(axis, n)

    def _spacing(self, axis: Axis, n: int) -> float:
        return axis.length / (n if axis.periodic else n - 1)


def _at_least(name: str, scheme: str, n: int, least: int) -> None:
    if not isinstance(n, int) or n < least:
        raise PinnlabError(f"axis '{name}': {scheme} needs at least {least} points, got {n!r}")


@lru_cache(maxsize=8)
def _end_weights(accuracy: int) -> np.ndarray:
    """Weights near the lower end over the spacing: Gregory's correction of the trapezoidal rule."""
    euler_maclaurin = {2: 1.0 / 12.0, 4: -1.0 / 720.0}
    nodes = np.arange(accuracy, dtype=float)
    weights = np.where(nodes == 0, 0.5, 1.0)
    for k in range(2, accuracy, 2):
        weights = weights + euler_maclaurin[k] * stencils.fornberg(0.0, nodes, k - 1)
    return weights


@lru_cache(maxsize=512)
def _operator(scheme: Any, axis: Axis, n: int, order: int, kind: str) -> Operator:
    if kind == "to":
        return Operator(scheme.to_midpoints(axis, n, order))
    if kind == "from":
        return Operator(scheme.from_midpoints(axis, n))
    return Operator(scheme.matrix(axis, n, order))
