r"""Field: what an equation is written against.

One call asks for anything: ``f("u")``, ``f("u", x=2)``, ``f(self.k)``, and for the derivative of
a function of the field ``f(lambda f: f(self.k) * f("T", z=1), z=1)``. The orders name axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.parameters import evaluate, varies

Orders = tuple[tuple[str, int], ...]  # axis and order, sorted, without zeros


def orders_of(orders: Mapping[str, int], domain: Domain) -> Orders:
    """Check and normalise the orders of a derivative; raise PinnlabError on a wrong axis."""
    for axis, order in orders.items():
        choose("axis", axis, domain.axes)
        if not isinstance(order, int) or order < 0:
            raise PinnlabError(f"derivative along '{axis}': the order must be 0, 1, 2, ...")
    return tuple(sorted((axis, order) for axis, order in orders.items() if order))


class Field(ABC):
    """The unknowns of an equation with their derivatives, as one reader sees them."""

    domain: Domain
    names: tuple[str, ...]

    @property
    @abstractmethod
    def coordinates(self) -> Mapping[str, Any]:
        """The coordinates by axis name, of shapes that broadcast with the values."""

    @abstractmethod
    def derivative(self, name: str, orders: Orders) -> Any:
        """A derivative of the variable *name* (itself if *orders* is empty)."""

    @abstractmethod
    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        """A derivative of a function of the field."""

    def __call__(self, what: Any, **orders: int) -> Any:
        """Ask for a variable, a coefficient, or a function of the field, or its derivative."""
        normal = orders_of(orders, self.domain)
        if isinstance(what, str):
            return self.derivative(choose("variable", what, self.names), normal)
        is_coefficient = hasattr(what, "at") and not hasattr(what, "dtype")
        if is_coefficient and normal:
            return self.differentiate(lambda f: f(what), normal)
        if is_coefficient:
            return self.coefficient(what)
        if callable(what):
            return self.differentiate(what, normal) if normal else what(self)
        return 0.0 * what if normal else what

    def coefficient(self, what: Any) -> Any:
        """A coefficient where the field stands."""
        return evaluate(what, self.coordinates)

    def grad(self, what: Any) -> dict[str, Any]:
        r"""Physical components of the gradient over the space axes,
        :math:`\sqrt{g^{ii}}\,\partial_i u`."""
        metric, x = self.domain.metric, self.coordinates
        return {
            axis: self(what, **{axis: 1}) * metric.inverse(axis, x) ** 0.5
            for axis in self.domain.space
        }

    def div(self, flux: Callable[[Field], Mapping[str, Any]]) -> Any:
        r"""Divergence of a vector given by its physical components as a function of the field,
        :math:`J^{-1}\sum_i \partial_i(J\sqrt{g^{ii}}F_i)`."""
        metric = self.domain.metric

        def component(axis: str) -> Any:
            return self(
                lambda f: (
                    metric.volume(f.coordinates)
                    * metric.inverse(axis, f.coordinates) ** 0.5
                    * flux(f)[axis]
                ),
                **{axis: 1},
            )

        total = sum(component(axis) for axis in self.domain.space)
        return total / metric.volume(self.coordinates)

    def laplacian(self, what: Any, coefficient: Any = None) -> Any:
        r""":math:`\nabla\cdot(k\nabla u)`, with k = 1 if no *coefficient* is given."""
        metric, space = self.domain.metric, self.domain.space
        if metric.flat and not varies(coefficient):
            total = sum(self(what, **{axis: 2}) for axis in space)
            return total if coefficient is None else coefficient * total

        def component(axis: str) -> Any:
            return self(
                lambda f: (
                    metric.volume(f.coordinates)
                    * metric.inverse(axis, f.coordinates)
                    * (1.0 if coefficient is None else f(coefficient))
                    * f(what, **{axis: 1})
                ),
                **{axis: 1},
            )

        return sum(component(axis) for axis in space) / metric.volume(self.coordinates)
