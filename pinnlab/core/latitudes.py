"""Gaussian latitudes: the scheme of the axis of latitude on which spherical harmonics are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnlab.core import stencils
from pinnlab.core.domain import Axis, Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.harmonics import gauss
from pinnlab.core.metric import Sphere
from pinnlab.core.schemes import Fourier, Scheme

_STENCIL = 8  # nodes of a local polynomial in latitude


@dataclass(frozen=True)
class GaussianLatitudes(Scheme):
    """n latitudes at the nodes of Gauss and Legendre in their sine, from -90 to 90 degrees.

    The poles are no nodes. With the cosine of latitude the weights are exact for products of
    harmonics. Alone, the axis is differentiated and interpolated by local polynomials of degree 7;
    together with longitude, :class:`~pinnlab.core.spherefield.SphereField` does it exactly.
    """

    def check(self, name: str, axis: Axis, n: int) -> None:
        if (axis.lower, axis.upper) != (-90.0, 90.0) or axis.periodic:
            raise PinnlabError(
                f"axis '{name}': Gaussian latitudes reach from -90 to 90 degrees_north, not from "
                f"{axis.lower:g} to {axis.upper:g} {axis.units}"
            )
        if not isinstance(n, int) or n < _STENCIL:
            raise PinnlabError(f"axis '{name}': at least {_STENCIL} latitudes are needed, got {n}")

    def nodes(self, axis: Axis, n: int) -> np.ndarray:
        return np.rad2deg(np.arcsin(gauss(n)[0]))

    def weights(self, axis: Axis, n: int) -> np.ndarray:
        x, weights = gauss(n)
        return np.rad2deg(weights / np.sqrt((1.0 - x) * (1.0 + x)))

    def matrix(self, axis: Axis, n: int, order: int) -> np.ndarray:
        return self._local(axis, n, self.nodes(axis, n), order)

    def interpolate(self, axis: Axis, n: int, points: Any) -> np.ndarray:
        return self._local(axis, n, np.asarray(points, float), 0)

    def ends(self, axis: Axis, n: int) -> np.ndarray:
        return self._local(axis, n, np.array([axis.lower, axis.upper]), 1)

    def _local(self, axis: Axis, n: int, points: np.ndarray, order: int) -> np.ndarray:
        nodes, matrix = self.nodes(axis, n), np.zeros((len(points), n))
        first = np.searchsorted(nodes, points + 1e-9) - _STENCIL // 2
        for row, (at, start) in enumerate(
            zip(points, np.clip(first, 0, n - _STENCIL), strict=True)
        ):
            own = slice(start, start + _STENCIL)
            matrix[row, own] = stencils.fornberg(at, nodes[own], order)
        return matrix


def sphere_of(domain: Domain) -> Sphere:
    """The metric of *domain*, which must be a sphere on whose latitude longitude follows.

    Raises:
        PinnlabError: another metric, other axes, or a longitude that does not go round.
    """
    metric = domain.metric
    if not isinstance(metric, Sphere):
        raise PinnlabError(
            "spherical harmonics need a domain on a sphere: Domain(metric=Sphere(radius), ...)"
        )
    axes = domain.axes
    follows = metric.lat in axes and axes[axes.index(metric.lat) + 1 :][:1] == (metric.lon,)
    if not follows or not domain[metric.lon].periodic or domain[metric.lon].length != 360.0:
        raise PinnlabError(
            f"spherical harmonics need the axis '{metric.lat}' (degrees_north) and behind it "
            f"'{metric.lon}' (degrees_east), periodic over 360 degrees; got the axes {axes}"
        )
    return metric


def sphere_grid(domain: Domain, n_lat: int, n_lon: int) -> Grid:
    """Gaussian latitudes times equidistant longitudes.

    Raises:
        PinnlabError: as :func:`sphere_of`, or too few points.
    """
    metric = sphere_of(domain)
    return Grid(domain, {metric.lat: (GaussianLatitudes(), n_lat), metric.lon: (Fourier(), n_lon)})
