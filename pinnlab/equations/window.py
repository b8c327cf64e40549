r"""An equation over one window of its time, which starts from a state handed over.

Time inside a window runs from the start of the whole, shifted by :math:`s`: what the equation
says at t holds in the window at :math:`t - s`. The shift and the state are leaves, so that all
windows of one length are one compiled program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pinnlab.core.conditions import Boundary, Condition, Initial
from pinnlab.core.domain import Domain
from pinnlab.core.field import Field, Orders
from pinnlab.core.parameters import evaluate, parameter, varies
from pinnlab.core.variables import Variables
from pinnlab.equations.base import Equation, equation


@equation
class Window(Equation):
    """The equation *whole* over the shortened time of *domain*.

    Arguments:
        whole: the equation over all of its time (static).
        domain, variables: as *whole* has them, but for the end of time.
        shift: s, in units of time.
        states: values of the variables at the window's start and, for variables of order 2 in
            time, their rates: ``({"u": ...}, {})``; None for the conditions of *whole*.
    """

    whole: Equation
    domain: Domain
    variables: Variables
    shift: Any = parameter(0.0, "1")
    states: Any = parameter(None, "1")

    def rhs(self, f: Field) -> Mapping[str, Any]:
        return self.whole.rhs(self.seen(f))

    def seen(self, f: Field) -> Field:
        """A field over the window as *whole* sees it, at the time that it is there."""
        return Shifted(f, self.whole.domain, self.shift)

    def conditions(self) -> Sequence[Condition]:
        given = self.whole.conditions()
        walls = [self._wall(c) for c in given if isinstance(c, Boundary)]
        if self.states is None:
            return [*(c for c in given if isinstance(c, Initial)), *walls]
        starts = [Initial(order, **values) for order, values in enumerate(self.states) if values]
        return [*starts, *walls]

    def replace(self, **changes: Any) -> Window:
        """A copy with other parameters, those of *whole* included."""
        inner = {name: changes.pop(name) for name in self.whole.parameters() if name in changes}
        if inner:
            changes["whole"] = self.whole.replace(**inner)
        return replace(self, **changes)

    def _wall(self, wall: Boundary) -> Boundary:
        values = {name: self._later(value) for name, value in wall.values.items()}
        return replace(wall, a=self._later(wall.a), b=self._later(wall.b), values=values)

    def _later(self, value: Any) -> Any:
        time = str(self.domain.time)
        return Later(value, time, self.shift) if varies(value) else value


def window(whole: Equation, length: float) -> Window:
    """The first window of *whole*, of *length* in units of time; others have shift and states."""
    time, domain = str(whole.domain.time), whole.domain
    axis = domain[time]
    change: dict[str, Any] = {"upper": axis.lower + length}
    if axis.scale is not None:  # the solution cannot change over more than the window
        change["scale"] = min(axis.scale, length)
    return Window(whole, domain.updated({time: change}), whole.variables, 0.0, None)


@dataclass(frozen=True)
class Later:
    """A function of the coordinates, asked at times later by *shift*."""

    value: Any
    time: str
    shift: Any

    def at(self, x: Mapping[str, Any]) -> Any:
        """The value at coordinates *x*."""
        return evaluate(self.value, {**x, self.time: x[self.time] + self.shift})


class Shifted(Field):
    """A field whose coordinates are later by *shift* than those of the field behind it."""

    def __init__(self, behind: Field, domain: Domain, shift: Any):
        self.domain, self.names = domain, behind.names
        self._behind, self._shift = behind, shift

    @property
    def coordinates(self) -> Mapping[str, Any]:
        x, time = self._behind.coordinates, str(self.domain.time)
        return {**x, time: x[time] + self._shift}

    def derivative(self, name: str, orders: Orders) -> Any:
        return self._behind.derivative(name, orders)

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        def behind(f: Field) -> Any:
            return what(Shifted(f, self.domain, self._shift))

        return self._behind.differentiate(behind, orders)
