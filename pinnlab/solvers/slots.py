"""An equation's right-hand side as a pointwise function of the slots that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field, Orders
from pinnlab.core.trace import Slot, record
from pinnlab.equations.base import Equation


class SlotField(Field):
    """A field that answers each slot from a given array; it cannot differentiate further."""

    def __init__(
        self,
        values: Mapping[Slot, Any],
        coordinates: Mapping[str, Any],
        domain: Domain,
        names: tuple[str, ...],
    ):
        self.domain, self.names = domain, names
        self._values, self._coordinates = values, coordinates

    @property
    def coordinates(self) -> Mapping[str, Any]:
        return self._coordinates

    def derivative(self, name: str, orders: Orders) -> Any:
        return self._values[(name, orders)]

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        raise PinnlabError("the derivative of a function of the field has no Fourier symbol")


@dataclass(frozen=True)
class Pointwise:
    """The function F(s, x) of the slots s and the coordinates x that ``rhs`` is; static.

    Arguments:
        evolving, constrained: the variables of order 1 and of order 0.
        slots: everything that ``rhs`` asks for.
    """

    evolving: tuple[str, ...]
    constrained: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """The variables in the order of the rows of F: evolving, then constrained."""
        return self.evolving + self.constrained

    def __call__(self, equation: Equation, values: Any, coordinates: Mapping[str, Any]) -> list:
        """The rows of F at *values*, one for each slot."""
        known = dict(zip(self.slots, values, strict=True))
        field = SlotField(known, coordinates, equation.domain, equation.variables.names)
        sides = equation.rhs(field)
        return [sides[name] for name in self.rows]

    def at(self, equation: Equation, state: Any, point: Mapping[str, Any]) -> Any:
        """F at one point, (rows,), where *state* (slots,) holds a number for each slot."""
        rows = self(equation, list(state), point)
        return jnp.stack([jnp.asarray(row, state.dtype) for row in rows])


def pointwise(equation: Equation) -> Pointwise:
    """Find the slots by a dry run.

    Raises:
        PinnlabError: a variable of order 2, none of order 1, or a derivative in time or of a
            function of the field inside ``rhs``.
    """
    kind, domain, variables = type(equation).__name__, equation.domain, equation.variables
    seen = record(equation.rhs, domain, variables.names)
    if seen.nested:
        raise PinnlabError(
            f"{kind}.rhs differentiates a function of the field, which has no Fourier symbol: "
            "expand the flux by the product rule, or use the method of lines"
        )
    for name, orders in seen.slots:
        if domain.time in dict(orders):
            raise PinnlabError(f"{kind}.rhs asks for a derivative of '{name}' in time")
    order = {name: variables[name].order for name in variables}
    for name in (n for n in order if order[n] == 2):
        raise PinnlabError(
            f"'{name}' of {kind} has order 2 in time: write it as two variables of order 1, or "
            "use the method of lines"
        )
    evolving = tuple(n for n in order if order[n] == 1)
    if not evolving:
        raise PinnlabError(f"{kind} has no variable of order 1: nothing evolves in time")
    rest = tuple(n for n in order if order[n] == 0)
    return Pointwise(evolving, rest, tuple(seen.slots))
