"""Equation: the base of everything that pinnlab solves, and the decorator that makes one.

An equation is a frozen dataclass and a JAX pytree: its parameters are the leaves, so inference
replaces one, a sweep maps over one, and ``jax.grad`` differentiates with respect to them.
"""

from __future__ import annotations

import dataclasses
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar, dataclass_transform

import jax

from pinnlab.core import conditions as _conditions
from pinnlab.core import corners
from pinnlab.core.conditions import Condition
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, PinnlabWarning, choose
from pinnlab.core.field import Field
from pinnlab.core.parameters import Parameter, parameter
from pinnlab.core.pytree import register
from pinnlab.core.trace import Slot, record
from pinnlab.core.variables import Variables

T = TypeVar("T")


class Equation(ABC):
    """An ordinary or partial differential equation with its domain and conditions.

    A subclass declares ``domain``, ``variables`` and its parameters as fields and writes ``rhs``;
    ``conditions`` and ``exact`` are optional.
    """

    domain: Domain
    variables: Variables
    keywords: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def rhs(self, f: Field) -> Mapping[str, Any]:
        """For each variable: its time derivative of its own order, or for a variable of order 0
        the expression that is zero."""

    def conditions(self) -> Sequence[Condition]:
        """Initial and boundary conditions; none by default."""
        return ()

    def exact(self, x: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The exact solution at arrays of coordinates, or None where there is no closed form."""
        return None

    def conserved(self) -> Sequence[str]:
        """The variables whose integral over space does not change in time; none by default."""
        return ()

    def __post_init__(self) -> None:
        for name, known in self.parameters().items():
            value = known.check(getattr(self, name), f"equation.{name}")
            object.__setattr__(self, name, value)

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The parameters by name."""
        found = {f.name: f.metadata.get("parameter") for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        return {name: p for name, p in found.items() if p is not None}

    def replace(self: T, **changes: Any) -> T:
        """A copy with other parameters, domain or variables."""
        return dataclasses.replace(self, **changes)  # type: ignore[type-var]

    def residual(self, f: Field) -> dict[str, Any]:
        """For each variable the difference of its two sides, in SI units."""
        sides = self.rhs(f)
        for name in sides:
            choose("variable in rhs", name, self.variables.names)
        time = self.domain.time
        return {
            name: f(name, **{time: self.variables[name].order}) - side
            if time and self.variables[name].order
            else side
            for name, side in sides.items()
        }

    def residual_scale(self, name: str) -> float:
        """The magnitude by which the residual of *name* is divided to be of order one."""
        variable, time = self.variables[name], self.domain.time
        if not variable.order or time is None:
            return variable.residual_scale
        return variable.scale / self.domain[time].natural_scale ** variable.order

    def slots(self) -> list[Slot]:
        """What the residual asks of a field, found by a dry run."""
        return list(record(self.residual, self.domain, self.variables.names).slots)

    def check(self) -> None:
        """Raise :class:`PinnlabError` if conditions contradict or rhs and variables disagree."""
        _conditions.check(self.conditions(), self.domain, self.variables)
        missing = set(self.variables.names) - set(
            jax.eval_shape(lambda: dict(self.rhs(self._recorder())))
        )
        if missing:
            raise PinnlabError(f"{type(self).__name__}.rhs gives nothing for {sorted(missing)}")
        if self.domain.time is None and any(self.variables[n].order for n in self.variables):
            raise PinnlabError(f"{type(self).__name__}: a variable of order > 0 needs a time axis")

    def warn_of_corners(self) -> None:
        """Warn where two conditions give one variable different values, with place and size."""
        for said in corners.disagreements(self.conditions(), self.domain, self.variables):
            warnings.warn(said, PinnlabWarning, stacklevel=3)

    def _recorder(self) -> Field:
        return record(lambda f: 0.0, self.domain, self.variables.names)


@dataclass_transform(frozen_default=True, field_specifiers=(parameter,))
def equation(cls: type[T]) -> type[T]:
    """Make a class an equation: a frozen dataclass whose parameters are the leaves of a pytree,
    with those of an equation inside of it."""
    made = dataclasses.dataclass(frozen=True, eq=False)(cls)
    inner = [f.name for f in dataclasses.fields(made) if f.type in ("Equation", Equation)]  # type: ignore[arg-type]
    register(made, [*inner, *made.parameters()])  # type: ignore[attr-defined]
    return made
