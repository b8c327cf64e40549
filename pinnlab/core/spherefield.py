"""SphereField: an equation's unknowns on a Gaussian grid, differentiated by spherical harmonics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field, Orders
from pinnlab.core.grid import Grid
from pinnlab.core.gridfield import GridField
from pinnlab.core.harmonics import Harmonics
from pinnlab.core.latitudes import GaussianLatitudes, sphere_of
from pinnlab.core.parameters import varies
from pinnlab.core.schemes import Fourier


class SphereField(GridField):
    """The field of values on Gaussian latitudes and equidistant longitudes.

    Gradient, divergence and Laplacian are those of the harmonics up to a degree, exact and smooth
    at the poles; nothing is divided by the cosine of latitude there. So a function of the field
    that is differentiated must be smooth on the sphere itself, as the components of a vector are
    not: its divergence comes from ``div``. Other axes (time, height) have their own schemes.

    Arguments:
        grid: from :func:`~pinnlab.core.latitudes.sphere_grid`, or with further axes.
        values, time, rates: as for :class:`~pinnlab.core.gridfield.GridField`.
        degree: of the truncation; by default that of :class:`~pinnlab.core.harmonics.Harmonics`.

    Raises:
        PinnlabError: a grid that is not on Gaussian latitudes of a sphere.
    """

    def __init__(
        self,
        grid: Grid,
        values: Mapping[str, Any],
        time: Any = None,
        rates: Mapping[str, Any] | None = None,
        degree: int = -1,
    ):
        super().__init__(grid, values, time, rates)
        self.harmonics = harmonics_of(grid, degree)
        metric = sphere_of(grid.domain)
        self._radius, self._lat, self._lon = metric.radius, metric.lat, metric.lon
        self._dim = grid.dim(metric.lat)
        self._coefficients: dict[str, Any] = {}
        self._gradients: dict[str, dict[str, Any]] = {}

    @classmethod
    def of_coefficients(
        cls, grid: Grid, coefficients: Mapping[str, Any], time: Any, degree: int = -1
    ) -> SphereField:
        """The field of given coefficients, (T + 1, 2T + 2) for each variable."""
        harmonics = harmonics_of(grid, degree)
        values = {name: harmonics.synthesis(c) for name, c in coefficients.items()}
        made = cls(grid, values, time, degree=degree)
        made._coefficients = dict(coefficients)
        return made

    def derivative(self, name: str, orders: Orders) -> Any:
        asked, rest = self._taken(orders)
        if not any(asked):
            return super().derivative(name, orders)
        return self._slope(self.coefficients(name, rest), *asked)

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        asked, rest = self._taken(orders)
        if not any(asked):
            return super().differentiate(what, orders)
        return self._slope(self.coefficients(what, rest), *asked)

    def grad(self, what: Any) -> dict[str, Any]:
        key = what if isinstance(what, str) else ""
        if key not in self._gradients:
            north, east = self.harmonics.gradient(self.coefficients(what), self._dim)
            made = {self._lat: north / self._radius, self._lon: east / self._radius}
            found = {a: made[a] if a in made else self(what, **{a: 1}) for a in self.domain.space}
            if not key:
                return found
            self._gradients[key] = found
        return self._gradients[key]

    def div(self, flux: Callable[[Field], Mapping[str, Any]]) -> Any:
        here = flux(self)
        north, east = (self._full(here[axis]) for axis in (self._lat, self._lon))
        found = self.harmonics.divergence(north, east, self._dim)
        across = self.harmonics.synthesis(found, self._dim) / self._radius
        return across + sum(self(lambda f, a=a: flux(f)[a], **{a: 1}) for a in self._others)

    def laplacian(self, what: Any, coefficient: Any = None) -> Any:
        if varies(coefficient):

            def flux(f: Field) -> dict[str, Any]:
                return {axis: f(coefficient) * slope for axis, slope in f.grad(what).items()}

            return self.div(flux)
        found = self.harmonics.laplacian(self.coefficients(what), self._dim)
        across = self.harmonics.synthesis(found, self._dim) / self._radius**2
        total = across + sum(self(what, **{axis: 2}) for axis in self._others)
        return total if coefficient is None else coefficient * total

    def coefficients(self, what: Any, rest: Orders = ()) -> Any:
        """Those of a variable or of a function of the field, or of a derivative along other axes;
        in place of the axes of latitude and longitude."""
        if not isinstance(what, str) or rest:
            return self.harmonics.analysis(self._full(self(what, **dict(rest))), self._dim)
        if what not in self._coefficients:
            values = self._full(self(what))
            self._coefficients[what] = self.harmonics.analysis(values, self._dim)
        return self._coefficients[what]

    def project(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Right-hand sides as arrays of the grid's shape, without what is beyond the truncation."""
        h, dim = self.harmonics, self._dim
        whole = super().project(values)
        return {name: h.synthesis(h.analysis(value, dim), dim) for name, value in whole.items()}

    @property
    def _others(self) -> list[str]:
        return [axis for axis in self.domain.space if axis not in (self._lat, self._lon)]

    def _taken(self, orders: Orders) -> tuple[tuple[int, int], Orders]:
        """The orders along latitude and longitude, and those along other axes."""
        asked = dict(orders)
        own = (asked.pop(self._lat, 0), asked.pop(self._lon, 0))
        return own, tuple(asked.items())

    def _slope(self, coefficients: Any, lat: int, lon: int) -> Any:
        slope = self.harmonics.synthesis(coefficients, self._dim, lat, lon)
        return slope * float(np.deg2rad(1.0)) ** (lat + lon)


def harmonics_of(grid: Grid, degree: int = -1) -> Harmonics:
    """The harmonics on a grid of Gaussian latitudes.

    Raises:
        PinnlabError: another grid, or a degree that it does not resolve.
    """
    metric = sphere_of(grid.domain)
    (_, lat, n_lat), (_, lon, n_lon) = grid[metric.lat], grid[metric.lon]
    if not isinstance(lat, GaussianLatitudes) or not isinstance(lon, Fourier):
        raise PinnlabError(
            "spherical harmonics need GaussianLatitudes() and Fourier() on the axes of the sphere: "
            "build the grid by sphere_grid(domain, n_lat, n_lon)"
        )
    return Harmonics(n_lat, n_lon, degree)
