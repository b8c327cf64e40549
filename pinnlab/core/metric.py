r"""Metrics: what gradient, divergence and Laplacian mean on a domain's axes.

A metric is orthogonal and given by the inverse components :math:`g^{ii}` and the volume factor
:math:`J`, both functions of the coordinates:

.. math:: \nabla\cdot(k\nabla u) = \frac1J \sum_i \partial_i\left(J g^{ii} k\, \partial_i u\right)

In this form nothing is divided by a scale factor that vanishes at a pole. Reference: Aris,
*Vectors, Tensors and the Basic Equations of Fluid Mechanics*, 1962, chapter 7.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

Coordinates = Mapping[str, Any]


class Metric(ABC):
    """An orthogonal metric; ``flat`` metrics have all components equal to one."""

    flat: bool = False

    @abstractmethod
    def inverse(self, axis: str, x: Coordinates) -> Any:
        """The component :math:`g^{ii}` of *axis* at the coordinates *x*."""

    @abstractmethod
    def volume(self, x: Coordinates) -> Any:
        """The volume factor :math:`J` at the coordinates *x*."""


@dataclass(frozen=True)
class Cartesian(Metric):
    """Straight axes: :math:`g^{ii} = 1`, :math:`J = 1`."""

    flat = True

    def inverse(self, axis: str, x: Coordinates) -> Any:
        return 1.0

    def volume(self, x: Coordinates) -> Any:
        return 1.0


@dataclass(frozen=True)
class Sphere(Metric):
    r"""A sphere of radius *radius* (m) with axes ``lat`` and ``lon`` in degrees.

    :math:`g^{\varphi\varphi} = (180/\pi a)^2`, :math:`g^{\lambda\lambda} =
    (180/\pi a\cos\varphi)^2`, :math:`J = \cos\varphi`. An axis of another name is taken as
    straight (a height above a thin shell).
    """

    radius: float = 6.371e6
    lat: str = "lat"
    lon: str = "lon"

    def inverse(self, axis: str, x: Coordinates) -> Any:
        degree = (180.0 / (jnp.pi * self.radius)) ** 2
        if axis == self.lat:
            return degree
        if axis == self.lon:
            return degree / jnp.cos(jnp.deg2rad(x[self.lat])) ** 2
        return 1.0

    def volume(self, x: Coordinates) -> Any:
        return jnp.cos(jnp.deg2rad(x[self.lat]))


@dataclass(frozen=True)
class SineLatitude(Metric):
    r"""The unit sphere seen along the sine of latitude, :math:`x = \sin\varphi`.

    :math:`g^{xx} = 1 - x^2`, :math:`J = 1`: the operator
    :math:`\partial_x[D(1-x^2)\partial_x T]` of energy balance models (North, 1975).
    """

    axis: str = "x"

    def inverse(self, axis: str, x: Coordinates) -> Any:
        return 1.0 - x[self.axis] ** 2 if axis == self.axis else 1.0

    def volume(self, x: Coordinates) -> Any:
        return 1.0
