r"""Real spherical harmonics on a Gauss-Legendre grid, by one matrix product an axis.

A function on the sphere is the sum

.. math:: f(\varphi, \lambda) = \sum_{l=0}^{T}\sum_{m=0}^{l} \sqrt{2 - \delta_{m0}}\,
    \bar P_{lm}(\sin\varphi)\,(a_{lm}\cos m\lambda + b_{lm}\sin m\lambda)

over harmonics whose mean square is one, so that :math:`a_{00}` is the mean of f and the sum of all
squares its mean square. Coefficients stand where the values stood: (n_lat, n_lon) become (T + 1,
2T + 2), the degree l and [a | b] over m. Vectors are analysed by integration by parts, which
divides by nothing that vanishes at a pole. Reference: Swarztrauber, *SIAM Rev.* 21, 1979,
415-446, and *J. Comput. Phys.* 162, 2000, 1-30.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError


@dataclass(frozen=True)
class Harmonics:
    """The transform between values and coefficients on the unit sphere; hashable, hence static.

    All methods take a dimension *dim*, that of latitude (of the degree l), which longitude (the
    packed orders m) follows; any dimensions may stand before and behind. Latitudes ascend. NumPy
    arrays give NumPy arrays.

    Arguments:
        n_lat, n_lon: points of the grid.
        degree: T, of the triangular truncation; by default the largest with which products of two
            functions do not fold back, (n_lon - 1) // 3 on a grid with n_lon = 2 n_lat. Single
            functions are resolved up to n_lat - 1 and (n_lon - 1) // 2.

    Raises:
        PinnlabError: a degree that the grid does not resolve.
    """

    n_lat: int
    n_lon: int
    degree: int = -1

    def __post_init__(self) -> None:
        most = min(self.n_lat - 1, (self.n_lon - 1) // 2)
        if self.degree < 0:
            quadratic = min((2 * self.n_lat - 1) // 3, (self.n_lon - 1) // 3)
            object.__setattr__(self, "degree", quadratic)
        if not 1 <= self.degree <= most:
            raise PinnlabError(
                f"harmonics of degree {self.degree} on {self.n_lat} x {self.n_lon} points of "
                f"latitude and longitude: the grid resolves degrees from 1 to {most}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the coefficients, (T + 1, 2T + 2)."""
        return self.degree + 1, 2 * self.degree + 2

    @property
    def latitudes(self) -> np.ndarray:
        """The (n_lat,) latitudes in degrees, from south to north."""
        return np.rad2deg(np.arcsin(gauss(self.n_lat)[0]))

    @property
    def longitudes(self) -> np.ndarray:
        """The (n_lon,) longitudes in degrees, from 0 on."""
        return 360.0 * np.arange(self.n_lon) / self.n_lon

    @property
    def eigenvalues(self) -> np.ndarray:
        """(T + 1,) of the Laplacian, -l (l + 1)."""
        l = np.arange(self.degree + 1.0)  # noqa: E741
        return -l * (l + 1.0)

    def analysis(self, values: Any, dim: int = -2) -> Any:
        """The coefficients of *values*; what is beyond the truncation is dropped."""
        return _along(_tables(self).analysis, _waves(self, values, dim), dim)

    def synthesis(self, coefficients: Any, dim: int = -2, lat: int = 0, lon: int = 0) -> Any:
        """Values from coefficients, or their derivative of order *lat* along latitude and *lon*
        along longitude (in radians)."""
        for _ in range(lon):
            coefficients = self.turned(coefficients, dim)
        return self._to_grid(_along(_latitude(self, lat), coefficients, dim), dim)

    def gradient(self, coefficients: Any, dim: int = -2) -> tuple[Any, Any]:
        """The northward and the eastward component of the gradient, as values."""
        eastward = _along(_tables(self).over_cosine, self.turned(coefficients, dim), dim)
        return self.synthesis(coefficients, dim, lat=1), self._to_grid(eastward, dim)

    def divergence(self, north: Any, east: Any, dim: int = -2) -> Any:
        r"""The coefficients of the divergence of a vector, :math:`-\int F\cdot\nabla Y`."""
        t = _tables(self)
        along = _along(t.slope_analysis, _waves(self, north, dim), dim)
        across = _along(t.cosine_analysis, _waves(self, east, dim), dim)
        return self.turned(across, dim) - along

    def curl(self, north: Any, east: Any, dim: int = -2) -> Any:
        """The coefficients of the vertical component of the curl."""
        return self.divergence(-east, north, dim)

    def laplacian(self, coefficients: Any, dim: int = -2) -> Any:
        """The coefficients of the Laplacian."""
        return self.scaled(self.eigenvalues, coefficients, dim)

    def inverse_laplacian(self, coefficients: Any, dim: int = -2) -> Any:
        """The coefficients of the function of mean zero whose Laplacian is given."""
        found = self.eigenvalues
        inverse = np.where(found < 0, 1.0 / np.where(found < 0, found, 1.0), 0.0)
        return self.scaled(inverse, coefficients, dim)

    def scaled(self, factors: Any, coefficients: Any, dim: int = -2) -> Any:
        """Coefficients times one of the (T + 1,) *factors* for each degree."""
        at = dim % coefficients.ndim
        each = _module(coefficients).asarray(factors, coefficients.dtype)
        return coefficients * each.reshape([-1 if d == at else 1 for d in range(coefficients.ndim)])

    def turned(self, coefficients: Any, dim: int = -2) -> Any:
        """The coefficients of the derivative along longitude: (a, b) become (m b, -m a)."""
        at, xp = dim % coefficients.ndim + 1, _module(coefficients)
        a, b = xp.split(coefficients, 2, axis=at)
        m = xp.arange(self.degree + 1, dtype=coefficients.dtype)
        m = m.reshape([-1 if d == at else 1 for d in range(coefficients.ndim)])
        return xp.concatenate([m * b, -m * a], axis=at)

    def power(self, coefficients: Any, dim: int = -2) -> Any:
        """The mean square of what each degree contributes; the dimension of m is gone."""
        return (coefficients**2).sum(axis=dim % coefficients.ndim + 1)

    def evaluate(self, coefficients: Any, latitude: np.ndarray, longitude: np.ndarray) -> Any:
        """(*lead, M, N) values at (M,) latitudes times (N,) longitudes in degrees, from
        coefficients (*lead, T + 1, 2T + 2)."""
        table = legendre(self.degree, np.sin(np.deg2rad(latitude)), np.cos(np.deg2rad(latitude)))
        waves = _cosines(self.degree, np.deg2rad(longitude))
        return _longitude(waves, _along(table, coefficients, -2), -2)

    def scattered(self, coefficients: Any, latitude: np.ndarray, longitude: np.ndarray) -> Any:
        """(*lead, N) values at N points in degrees, from coefficients (*lead, T + 1, 2T + 2)."""
        table = legendre(self.degree, np.sin(np.deg2rad(latitude)), np.cos(np.deg2rad(latitude)))
        waves = _cosines(self.degree, np.deg2rad(longitude)).reshape(len(longitude), 2, -1)
        parts = coefficients.reshape(*coefficients.shape[:-1], 2, -1)
        basis = np.einsum("mnl,npm->lpmn", table, waves)
        xp = _module(parts)
        return xp.tensordot(parts, xp.asarray(basis, parts.dtype), axes=3)

    def _to_grid(self, waves: Any, dim: int) -> Any:
        return _longitude(_tables(self).cosines, waves, dim)


@dataclass(frozen=True)
class _Tables:
    """(orders, rows, columns) along latitude: P at the nodes by degree and back, with P over the
    cosine of latitude and the slope of P; and (n_lon, 2T + 2) waves along longitude."""

    analysis: np.ndarray
    slope_analysis: np.ndarray
    cosine_analysis: np.ndarray
    over_cosine: np.ndarray
    cosines: np.ndarray


@lru_cache(maxsize=16)
def _tables(h: Harmonics) -> _Tables:
    x, weights = gauss(h.n_lat)
    cosine = np.sqrt((1.0 - x) * (1.0 + x))

    def back(table: np.ndarray) -> np.ndarray:
        return np.swapaxes(0.5 * weights[:, None] * table, 1, 2)

    values, slopes = _latitude(h, 0), _latitude(h, 1)
    over = values / cosine[:, None]
    waves = _cosines(h.degree, np.deg2rad(h.longitudes))
    return _Tables(back(values), back(slopes), back(over), over, waves)


@lru_cache(maxsize=64)
def _latitude(h: Harmonics, order: int) -> np.ndarray:
    x, _ = gauss(h.n_lat)
    return legendre(h.degree, x, np.sqrt((1.0 - x) * (1.0 + x)), order)


@lru_cache(maxsize=32)
def gauss(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The n nodes of Gauss and Legendre on [-1, 1], ascending, with their weights."""
    x, weights = np.polynomial.legendre.leggauss(n)
    return x, weights


def legendre(degree: int, sine: np.ndarray, cosine: np.ndarray, order: int = 0) -> np.ndarray:
    r"""(T + 1, N, T + 1) by m, place and l: :math:`\bar P_{lm}` of mean square one at N latitudes,
    or its derivative of *order* along latitude.

    By the recursion in l at each m (Belousov), and for derivatives by that between orders m,
    :math:`2\,\partial_\varphi\bar P_{lm} = \sqrt{(l-m)(l+m+1)}\,\bar P_{l,m+1} -
    \sqrt{(l+m)(l-m+1)}\,\bar P_{l,m-1}`, which does not divide by the cosine.
    """
    table: np.ndarray = np.zeros((degree + 1, degree + 1, len(sine)))  # m, l, place
    for m in range(degree + 1):
        table[m, m] = math.sqrt((2 * m + 1) / (2 * m)) * cosine * table[m - 1, m - 1] if m else 1.0
        for l in range(m + 1, degree + 1):  # noqa: E741
            a = math.sqrt((4 * l**2 - 1) / (l**2 - m**2))
            b = math.sqrt(((l - 1) ** 2 - m**2) / (4 * (l - 1) ** 2 - 1))
            table[m, l] = a * (sine * table[m, l - 1] - b * table[m, l - 2] * (l > m + 1))
    to = np.arange(degree + 1)
    less, more = (to + s * np.arange(-degree, degree + 1)[:, None] for s in (-1, 1))  # l -+ m
    up = 0.5 * np.sqrt(np.maximum(less * (more + 1), 0))[:, :, None]
    down = 0.5 * np.sqrt(np.maximum(more * (less + 1), 0))[:, :, None]
    sign = (-1.0) ** np.arange(degree, 0, -1)[:, None, None]
    for _ in range(order):
        whole = np.concatenate([sign * table[:0:-1], table])  # all orders, -T to T
        beyond = np.pad(whole, ((1, 1), (0, 0), (0, 0)))
        table = (up * beyond[2:] - down * beyond[:-2])[degree:]
    return np.swapaxes(table, 1, 2)


def _cosines(degree: int, longitude: np.ndarray) -> np.ndarray:
    """(N, 2T + 2): the cosines and the sines of m lambda, of mean square one."""
    angle = longitude[:, None] * np.arange(degree + 1)
    size = np.where(np.arange(degree + 1) > 0, math.sqrt(2.0), 1.0)
    return np.concatenate([size * np.cos(angle), size * np.sin(angle)], axis=1)


def _waves(h: Harmonics, values: Any, dim: int) -> Any:
    return _longitude(_tables(h).cosines.T / h.n_lon, values, dim)


def _longitude(matrix: np.ndarray, values: Any, dim: int) -> Any:
    """A product along longitude, the dimension behind *dim*."""
    at = dim % values.ndim + 1
    xp = _module(values)
    return xp.moveaxis(xp.tensordot(values, xp.asarray(matrix, values.dtype), axes=(at, 1)), -1, at)


def _along(table: np.ndarray, values: Any, dim: int) -> Any:
    """A product along *dim* for each order m of the packed dimension behind it."""
    at, shape = dim % values.ndim, values.shape
    (orders, rows, columns), before, behind = table.shape, shape[:at], shape[at + 2 :]
    inner = values.reshape(math.prod(before), columns, 2, orders, math.prod(behind))
    xp = _module(values)
    found = xp.einsum("mrc,bcpmk->brpmk", xp.asarray(table, values.dtype), inner)
    return found.reshape(*before, rows, 2 * orders, *behind)


def _module(values: Any) -> Any:
    """NumPy for its own arrays, which keep their precision whatever JAX computes in."""
    return np if isinstance(values, np.ndarray) else jnp
