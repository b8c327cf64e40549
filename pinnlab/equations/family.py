"""Families: equations that differ in some functions or numbers, on which operators are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import numpy as np

from pinnlab.core.conditions import Condition, Initial
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.field import Field
from pinnlab.core.grid import Grid
from pinnlab.core.parameters import parameter
from pinnlab.core.sampled import Sampled
from pinnlab.core.variables import Variables
from pinnlab.equations.base import Equation, equation


@equation
class Started(Equation):
    """The equation *whole* with other initial values.

    Arguments:
        whole: the equation; its parameters are leaves as well.
        domain, variables: as *whole* has them.
        states: initial values by variable, in place of those of *whole*.
    """

    whole: Equation
    domain: Domain
    variables: Variables
    states: Any = parameter(None, "1")

    def rhs(self, f: Field) -> Mapping[str, Any]:
        return self.whole.rhs(f)

    def conditions(self) -> Sequence[Condition]:
        rest: list[Condition] = []
        for c in self.whole.conditions():
            if isinstance(c, Initial) and not c.order:
                kept = {name: v for name, v in c.values.items() if name not in self.states}
                rest += [Initial(0, **kept)] if kept else []
            else:
                rest.append(c)
        return [Initial(**self.states), *rest]

    def conserved(self) -> Sequence[str]:
        return self.whole.conserved()

    def residual_scale(self, name: str) -> float:
        return self.whole.residual_scale(name)

    def replace(self, **changes: Any) -> Started:
        """A copy with other parameters, domain or variables, those of *whole* included."""
        inner = {name: changes.pop(name) for name in self.whole.parameters() if name in changes}
        inner |= {name: changes[name] for name in ("domain", "variables") if name in changes}
        if inner:
            changes["whole"] = self.whole.replace(**inner)
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class Family:
    """Members of one equation, told apart by values on a grid.

    Arguments:
        equation: whatever they have in common.
        grid: where functions are sampled.
        initial: variables whose initial values differ.
        parameters: parameters of the equation that differ; functions or numbers.

    Raises:
        PinnlabError: a name that the equation does not have, or nothing that differs.
    """

    equation: Equation
    grid: Grid
    initial: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.initial:
            choose("variable (operator.initial)", name, self.equation.variables.names)
        for name in self.parameters:
            choose("parameter (operator.parameters)", name, self.equation.parameters())
        if not self.names:
            raise PinnlabError(
                "operator: nothing differs between its instances; give operator.initial or "
                "operator.parameters"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What differs: variables (their initial values), then parameters."""
        return (*self.initial, *self.parameters)

    def member(self, values: Mapping[str, Any]) -> Equation:
        """The equation with (*grid) values of each function and () of each number."""
        made = {
            name: value if value.ndim == 0 else Sampled(self.grid, value)
            for name, value in values.items()
        }
        own: Equation = self.equation
        if self.parameters:
            own = own.replace(**{name: made[name] for name in self.parameters})
        if not self.initial:
            return own
        states = {name: made[name] for name in self.initial}
        return Started(own, own.domain, own.variables, states)


def lasting(equation: Equation, factor: int) -> Equation:
    """The equation over a time axis *factor* times as long."""
    axis = str(equation.domain.time)
    span = equation.domain[axis]
    upper = span.lower + factor * span.length
    return equation.replace(domain=equation.domain.updated({axis: {"upper": upper}}))


def given(member: Equation, name: str) -> Any:
    """What *member* has as its parameter or initial value *name*: a number or a coefficient."""
    for c in member.conditions():
        if isinstance(c, Initial) and not c.order and name in c.values:
            return c.values[name]
    own = member.whole if isinstance(member, Started) else member
    return getattr(own, choose("input", name, own.parameters()))


def is_sampled(value: Any) -> bool:
    """Whether *value* is a sampled coefficient; a leaf for :func:`jax.tree.map`."""
    return isinstance(value, Sampled)


def on_grid(member: Equation, places: Mapping[str, Any]) -> Equation:
    """*member* with its sampled functions as plain values on the nodes *places* of a grid.

    What it says of conditions may then be asked there without interpolating again.
    """
    return jax.tree.map(
        lambda leaf: Laid(leaf, leaf.on(places), tuple(places)) if is_sampled(leaf) else leaf,
        member,
        is_leaf=is_sampled,
    )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Laid:
    """A coefficient on the nodes of a grid and, for conditions, on the sides of it.

    Arguments:
        sampled: the coefficient.
        values: on the grid; of size one along axes that it does not depend on.
        axes: of the grid (static).
    """

    sampled: Sampled
    values: Any
    axes: tuple[str, ...] = field(metadata={"static": True})

    def at(self, x: Mapping[str, Any]) -> Any:
        """The values where *x* are the grid's coordinates; on a side, what holds there."""
        own = self.sampled.grid.axes
        sizes = zip(self.axes, self.values.shape, strict=True)
        whole = all(np.size(x[name]) == n for name, n in sizes if name in own)
        return self.values if whole else self.sampled.at(x)
