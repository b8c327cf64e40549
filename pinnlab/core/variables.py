"""Variables: what an equation solves for, with units, names and its order in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pinnlab.core import units as _units
from pinnlab.core.errors import PinnlabError, choose


@dataclass(frozen=True)
class Variable:
    """One unknown of an equation.

    Arguments:
        long_name: what a person reads ("soil temperature").
        units: CF/UDUNITS text.
        order: order in time: 1 evolution, 2 wave, 0 constraint or steady problem.
        scale, offset: ``value = offset + scale * O(1)``, in *units*; networks work on the O(1).
        residual_scale: magnitude of the residual of a variable of order 0, in the units of its
            equation; evolution equations derive it from the time axis.
        standard_name: from the CF table, or empty; never invented.
        temperature: ``on_scale`` or ``difference`` (CF's ``units_metadata``), or empty.
        name: what files call it, where the equation's symbol is not readable.
    """

    long_name: str
    units: str = "1"
    order: int = 1
    scale: float = 1.0
    offset: float = 0.0
    residual_scale: float = 1.0
    standard_name: str = ""
    temperature: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        _units.parse(self.units)
        if self.order not in (0, 1, 2):
            raise PinnlabError(f"variable '{self.long_name}': order in time is 0, 1 or 2")
        if not self.scale > 0:
            raise PinnlabError(f"variable '{self.long_name}': scale must be positive")


@dataclass(frozen=True, init=False)
class Variables:
    """The unknowns of an equation by symbol: ``Variables(u=Variable("velocity", "m s-1"))``."""

    items: tuple[tuple[str, Variable], ...]

    def __init__(self, **variables: Variable):
        object.__setattr__(self, "items", tuple(variables.items()))

    @classmethod
    def from_fields(cls, items: Iterable[tuple[str, Variable]]) -> Variables:
        """What has these fields: the inverse of reading them."""
        return cls(**dict(items))

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols, in the order given."""
        return tuple(name for name, _ in self.items)

    def __getitem__(self, name: str) -> Variable:
        known = dict(self.items)
        return known[choose("variable", name, known)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.items)
