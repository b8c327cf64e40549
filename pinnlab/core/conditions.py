r"""Conditions: declared once on the equation, interpreted by each reader.

A boundary condition on one side of an axis is linear in the variable and its outward normal
derivative,

.. math:: a\,u + b\,\partial u/\partial n = g,

with :math:`n` along the axis (Dirichlet: a=1, b=0; Neumann: a=0, b=1; Robin: both). The
coefficients and *g* are numbers, coefficients, or functions of the coordinates (time included).
An axis that is periodic says so itself and needs no condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.variables import Variables

SIDES = ("lower", "upper")


@dataclass(frozen=True)
class Initial:
    """Values at the start of time: ``Initial(u=...)``; ``Initial(1, u=...)`` for the rate u_t."""

    order: int
    values: Mapping[str, Any]

    def __init__(self, order: int = 0, **values: Any):
        object.__setattr__(self, "order", order)
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class Evolving:
    """Initial values with a guess of what becomes of them, for ``Initial(u=Evolving(...))``.

    A network that has its initial values exactly is a correction of the guess, which so takes from
    it what it could not follow: a kink that is gone at once.

    Arguments:
        start: the values, as a function of the coordinates.
        later: the same at the start of time, and at all times smooth enough.
    """

    start: Callable[[Mapping[str, Any]], Any]
    later: Callable[[Mapping[str, Any]], Any]

    def at(self, x: Mapping[str, Any]) -> Any:
        """The initial values at coordinates *x*."""
        return self.start(x)


@dataclass(frozen=True)
class Boundary:
    """``a u + b du/dn = g`` for each named variable on *sides* of *axis* (n points outwards)."""

    axis: str
    sides: tuple[str, ...]
    a: Any
    b: Any
    values: Mapping[str, Any]

    @property
    def fixes_value(self) -> bool:
        """Whether it is a Dirichlet condition."""
        return isinstance(self.b, (int, float)) and self.b == 0


def _boundary(axis: str, side: str | None, a: Any, b: Any, values: Mapping[str, Any]) -> Boundary:
    sides = SIDES if side is None else (choose("side", side, SIDES),)
    return Boundary(axis, sides, a, b, values)


def Dirichlet(axis: str, side: str | None = None, **values: Any) -> Boundary:
    """u = g on one *side* (``lower``, ``upper``) of *axis*, or on both."""
    return _boundary(axis, side, 1.0, 0.0, values)


def Neumann(axis: str, side: str | None = None, **values: Any) -> Boundary:
    """du/dn = g, with n pointing out of the domain."""
    return _boundary(axis, side, 0.0, 1.0, values)


def Robin(axis: str, side: str | None = None, *, a: Any, b: Any, **values: Any) -> Boundary:
    """a u + b du/dn = g, with n pointing out of the domain; b = k gives a wall flux."""
    return _boundary(axis, side, a, b, values)


Condition = Initial | Boundary


@dataclass(frozen=True)
class Observations:
    """Values of one variable seen at points, in SI.

    Arguments:
        variable: the variable's symbol.
        points: one (N,) array for each axis of the domain.
        values: (N,) observed values.
        sigma: standard deviation of the observations, one number or (N,).

    Raises:
        PinnlabError: none, arrays of different lengths, values that are not finite, or a sigma
            that is not positive.
    """

    variable: str
    points: Mapping[str, Any]
    values: Any
    sigma: Any = 1.0

    def __post_init__(self) -> None:
        n = np.shape(self.values)
        for axis, column in self.points.items():
            if np.shape(column) != n:
                raise PinnlabError(
                    f"observations of '{self.variable}': axis '{axis}' has shape "
                    f"{np.shape(column)}, the values have {n}"
                )
        if not np.all(np.isfinite(np.asarray(self.values))):
            raise PinnlabError(f"observations of '{self.variable}' hold values that are not finite")
        if not np.size(self.values) or not np.all(np.asarray(self.sigma, float) > 0):
            what = "sigma must be positive" if np.size(self.values) else "there are none"
            raise PinnlabError(f"observations of '{self.variable}': {what}")


def check(conditions: Iterable[Condition], domain: Domain, variables: Variables) -> None:
    """Raise :class:`PinnlabError` if a condition names what does not exist or contradicts."""
    seen: set[tuple] = set()
    for condition in conditions:
        if isinstance(condition, Boundary):
            axis = domain[condition.axis]
            if axis.periodic or condition.axis == domain.time:
                raise PinnlabError(_no_wall(condition.axis, axis.periodic))
            places = [(condition.axis, side) for side in condition.sides]
        else:
            if domain.time is None:
                raise PinnlabError(
                    "conditions: an initial condition on a domain without a time axis; take it "
                    "out, or give the domain an axis t"
                )
            places = [("initial", str(condition.order))]
        for name in condition.values:
            choose("variable", name, variables.names)
            for place in places:
                if (name, place) in seen:
                    raise PinnlabError(
                        f"conditions: two conditions on '{name}' at {place[0]} {place[1]}; "
                        "keep one of them"
                    )
                seen.add((name, place))


def _no_wall(axis: str, periodic: bool) -> str:
    if periodic:
        return (
            f"conditions: a boundary condition on the periodic axis '{axis}', which has no wall; "
            "take it out, or make the axis periodic=False"
        )
    return (
        f"conditions: a boundary condition on the time axis '{axis}'; "
        "Initial(...) gives what holds at its start"
    )
