"""GridField: an equation's unknowns as arrays on a grid, with the grid's derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field, Orders
from pinnlab.core.grid import Grid
from pinnlab.core.parameters import evaluate_on
from pinnlab.core.schemes import FiniteDifference, Fourier


class GridField(Field):
    r"""The field of values at the nodes of a grid.

    Spectral axes are differentiated at their nodes. On a finite-difference axis the derivative of
    a function of the field goes through the midpoints: the function is evaluated there from
    compact derivatives, and differenced back. A flux :math:`\partial_z(k\,\partial_z T)` has then
    the stencil of a Laplacian, the scheme's order, and no odd-even modes.

    Arguments:
        grid: the grid.
        values: for each variable an array of the grid's shape.
        time: the time, where it is no axis of the grid.
        rates: for some variables their first derivative in time, of the grid's shape.
        halves: the axes on which the field stands between the nodes (made by ``differentiate``).

    Raises:
        PinnlabError: a derivative in time that is neither a rate nor along an axis of the grid.
    """

    def __init__(
        self,
        grid: Grid,
        values: Mapping[str, Any],
        time: Any = None,
        rates: Mapping[str, Any] | None = None,
        halves: frozenset[str] = frozenset(),
    ):
        self.domain, self.names, self.grid = grid.domain, tuple(values), grid
        self._values, self._rates = values, rates or {}
        self._time, self._halves = time, halves
        self._known: dict[tuple[str, Orders], Any] = {}
        self._spectra: dict[tuple[str, Orders, str], Any] = {}
        self._other: dict[str, GridField] = {}

    @property
    def places(self) -> dict[str, np.ndarray]:
        """The (n,) coordinates of each axis of the grid where the field stands."""
        found = {}
        for name, scheme, n in self.grid.items:
            between = name in self._halves and isinstance(scheme, FiniteDifference)
            places = scheme.midpoints if between else scheme.nodes  # type: ignore[attr-defined]
            found[name] = places(self.domain[name], n)
        return found

    @property
    def coordinates(self) -> Mapping[str, Any]:
        dtype = jnp.result_type(*self._values.values()) if self._values else float
        found: dict[str, Any] = {
            name: jnp.asarray(self.grid.lay(name, places), dtype)
            for name, places in self.places.items()
        }
        if self.domain.time is not None and self._time is not None:
            found[self.domain.time] = self._time
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the field's arrays: the grid's, where it stands on the nodes."""
        return tuple(
            n - 1 if name in self._halves and not self.domain[name].periodic else n
            for name, n in zip(self.grid.axes, self.grid.shape, strict=True)
        )

    def derivative(self, name: str, orders: Orders) -> Any:
        key = (name, orders)
        if key not in self._known:
            asked = dict(orders)
            in_time = self._order_in_time(name, asked)
            space = {axis: asked.get(axis, 0) for axis in self.grid.axes}
            self._known[key] = self._along(name, in_time, tuple(space.items()))
        return self._known[key]

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        (axis, order), *rest = orders
        if axis not in self.grid.axes:
            raise PinnlabError(
                f"the derivative along '{axis}' of a function of the field is asked for, but "
                f"'{axis}' is no axis of the grid ({', '.join(self.grid.axes)})"
            )
        span, scheme, n = self.grid[axis]
        dim, left = self.grid.dim(axis), dict(rest)
        if not isinstance(scheme, FiniteDifference):
            inner = self._full(self(what, **left))
            return scheme.derivative(span, n, order, inner, dim)
        if order > 1:
            left[axis] = order - 1
        other = self._toggled(axis)
        inner = other._full(other(what, **left))
        if axis in self._halves:
            return scheme.half(span, n, 1, inner, dim)
        return scheme.whole(span, n, inner, dim)

    def coefficient(self, what: Any) -> Any:
        return evaluate_on(what, self.places, self.coordinates)

    def project(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Right-hand sides as arrays of the grid's shape, without the modes that are dealiased."""
        return {name: self._truncated(self._full(value)) for name, value in values.items()}

    def _order_in_time(self, name: str, asked: Mapping[str, int]) -> int:
        time = self.domain.time
        order = asked.get(time, 0) if time is not None and time not in self.grid.axes else 0
        if order > 1 or (order and name not in self._rates):
            raise PinnlabError(
                f"the time derivative of order {order} of '{name}' is asked of a grid without a "
                "time axis: rhs may ask for the first one of a variable of order 2 only"
            )
        return order

    def _along(self, name: str, in_time: int, space: Orders) -> Any:
        """The derivative axis by axis; what axes share is computed once."""
        key = (f"{name}/{in_time}", space)
        if key not in self._known:
            if not space:
                base = (self._rates if in_time else self._values)[name]
                self._known[key] = self._truncated(jnp.asarray(base))
            else:
                *before, (axis, order) = space
                self._known[key] = self._last(name, in_time, tuple(before), axis, order)
        return self._known[key]

    def _last(self, name: str, in_time: int, before: Orders, axis: str, order: int) -> Any:
        span, scheme, n = self.grid[axis]
        dim = self.grid.dim(axis)
        values = self._along(name, in_time, before)
        if axis in self._halves and isinstance(scheme, FiniteDifference):
            return scheme.half(span, n, order, values, dim)
        if not order:
            return values
        if not isinstance(scheme, Fourier):
            return scheme.derivative(span, n, order, values, dim)
        key = (f"{name}/{in_time}", before, axis)
        if key not in self._spectra:
            self._spectra[key] = jnp.fft.rfft(values, axis=dim)
        return scheme.restore(span, n, order, self._spectra[key], dim)

    def _toggled(self, axis: str) -> GridField:
        """The same field seen from the midpoints of *axis*, or from its nodes again."""
        if axis not in self._other:
            other = GridField(
                self.grid, self._values, self._time, self._rates, self._halves ^ {axis}
            )
            other._other[axis] = self
            self._other[axis] = other
        return self._other[axis]

    def _full(self, value: Any) -> Any:
        return jnp.broadcast_to(jnp.asarray(value), self.shape)

    def _truncated(self, values: Any) -> Any:
        for dim, (_, scheme, _) in enumerate(self.grid.items):
            values = scheme.truncate(values, dim)
        return values
