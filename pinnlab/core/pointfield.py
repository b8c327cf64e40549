"""PointField: a model at one point, differentiated automatically; batch it with ``vmap``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import jet

from pinnlab.core.domain import Domain
from pinnlab.core.field import Field, Orders
from pinnlab.core.trace import Slot

Model = Callable[[Mapping[str, Any]], Mapping[str, Any]]
_TAYLOR_FROM = 3  # below, nested forward mode is faster (measured); beyond it costs 2^order


class PointField(Field):
    """The field of ``model({axis: scalar}) -> {variable: scalar}`` at one point.

    Arguments:
        model: a function of one point.
        point: the coordinates, one scalar for each axis of *domain*.
        domain, names: the axes and the variables' symbols.
        slots: what will be asked (from :func:`pinnlab.core.trace.record`); with it everything is
            computed at once, in the cheapest way. Without it each question is answered alone.
    """

    def __init__(
        self,
        model: Model,
        point: Mapping[str, Any],
        domain: Domain,
        names: tuple[str, ...],
        slots: Iterable[Slot] = (),
    ):
        self.domain, self.names, self._model = domain, names, model
        self._point = jnp.stack([jnp.asarray(point[axis]) for axis in domain.axes])
        self._known: dict[Orders, Any] = {}
        self._answer({orders for _, orders in slots})

    @property
    def coordinates(self) -> Mapping[str, Any]:
        return self._unpack(self._point)

    def derivative(self, name: str, orders: Orders) -> Any:
        if orders not in self._known:
            self._answer({orders})
        return self._known[orders][self.names.index(name)]

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        def at(point: Any) -> Any:
            field = PointField(self._model, self._unpack(point), self.domain, self.names)
            return jnp.asarray(what(field))

        return _nested(at, self._point, self._directions(orders))

    def _unpack(self, point: Any) -> dict[str, Any]:
        return {axis: point[i] for i, axis in enumerate(self.domain.axes)}

    def _values(self, point: Any) -> Any:
        answer = self._model(self._unpack(point))
        return jnp.stack([jnp.asarray(answer[name]) for name in self.names])

    def _unit(self, axis: str) -> Any:
        i = self.domain.axes.index(axis)
        return jnp.zeros_like(self._point).at[i].set(1.0)

    def _directions(self, orders: Orders) -> list[Any]:
        return [self._unit(axis) for axis, order in orders for _ in range(order)]

    def _answer(self, wanted: set[Orders]) -> None:
        """Fill ``_known`` with every wanted derivative of all variables."""
        totals = {orders: sum(order for _, order in orders) for orders in wanted}
        firsts = {orders for orders, total in totals.items() if total == 1}
        if len(self.names) == 1 and wanted and max(totals.values()) <= 2 and len(firsts) > 1:
            self._forward_over_reverse({o for o in wanted if totals[o] == 2})
        for orders in sorted(wanted, key=lambda o: (-totals[o], o)):
            if orders not in self._known:
                self._forward(orders)

    def _forward_over_reverse(self, seconds: set[Orders]) -> None:
        """One reverse sweep gives all first derivatives; a tangent of it, the second ones."""
        axes = self.domain.axes

        def value_and_grad(point: Any) -> tuple[Any, Any]:
            return jax.value_and_grad(lambda p: self._values(p)[0])(point)

        def keep(orders: Orders, value: Any) -> None:
            self._known[orders] = value[None]

        directions: list[str] = []
        # Pure ones first, since their axis may serve mixed ones; in an order of its own, since a
        # set's differs between processes, and with it the program and its last digits.
        for orders in sorted(seconds, key=lambda o: (len(o), o)):
            if not any(axis in directions for axis, _ in orders):
                directions.append(orders[0][0])
        value, slope = None, None
        for axis in directions:
            (value, slope), (_, turned) = jax.jvp(
                value_and_grad, (self._point,), (self._unit(axis),)
            )
            for i, other in enumerate(axes):
                pair = ((axis, 2),) if other == axis else tuple(sorted([(axis, 1), (other, 1)]))
                keep(pair, turned[i])
        if slope is None:
            value, slope = value_and_grad(self._point)
        keep((), value)
        for i, axis in enumerate(axes):
            keep(((axis, 1),), slope[i])

    def _forward(self, orders: Orders) -> None:
        """Forward mode: along one axis it gives every lower order as well."""
        if len(orders) == 1:
            axis, order = orders[0]
            ladder = _ladder(self._values, self._point, self._unit(axis), order)
            for k, value in enumerate(ladder):
                self._known.setdefault(((axis, k),) if k else (), value)
        elif not orders:
            self._known[()] = self._values(self._point)
        else:
            (first, k), *rest = sorted(orders, key=lambda pair: -pair[1])

            def inner(point: Any) -> Any:
                return _ladder(self._values, point, self._unit(first), k)[k]

            self._known[orders] = _nested(inner, self._point, self._directions(tuple(rest)))


def _nested(function: Callable[[Any], Any], point: Any, directions: list[Any]) -> Any:
    for direction in directions:
        function = _tangent(function, direction)
    return function(point)


def _tangent(function: Callable[[Any], Any], direction: Any) -> Callable[[Any], Any]:
    return lambda point: jax.jvp(function, (point,), (direction,))[1]


def _ladder(function: Callable[[Any], Any], point: Any, direction: Any, order: int) -> list[Any]:
    """[f, f', f'', ...] along *direction*, up to *order*."""
    if order >= _TAYLOR_FROM:
        series = [direction] + [jnp.zeros_like(direction)] * (order - 1)
        try:
            value, terms = jet.jet(function, (point,), (series,))
            return [value, *terms]
        except (NotImplementedError, KeyError, jax.errors.UnexpectedTracerError):
            # an operation without a Taylor rule, or with a custom derivative (softplus); an error
            # of the function itself comes again below
            pass

    def climb(k: int) -> Callable[[Any], list[Any]]:
        if k == 0:
            return lambda p: [function(p)]

        def rung(p: Any) -> list[Any]:
            values, slopes = jax.jvp(climb(k - 1), (p,), (direction,))
            return [*values, slopes[-1]]

        return rung

    return climb(order)(point)
