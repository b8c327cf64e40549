"""Axes and domains: where an equation lives, in SI units and with CF names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pinnlab.core import units as _units
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.metric import Cartesian, Metric


@dataclass(frozen=True)
class Shown:
    """How a file shows an axis whose own coordinate is not what people read.

    ``convert`` maps the axis's values to those shown (sine of latitude to degrees north).
    """

    name: str
    units: str
    standard_name: str
    convert: Callable[[Any], Any]


@dataclass(frozen=True)
class Axis:
    """One axis of a domain.

    Arguments:
        lower, upper: the bounds, in *units*.
        units: CF/UDUNITS text; ``"1"`` for a mathematical problem.
        periodic: the two ends are the same point.
        scale: the length over which the solution changes, in *units*; half the axis if None.
            Residuals are divided by its powers, so that rows are of order one.
        long_name, standard_name, positive: what files say of it (``positive="down"``).
        shown: how files show it, where that differs.

    Raises:
        PinnlabError: bounds that do not increase, or an unknown unit.
    """

    lower: float
    upper: float
    units: str = "1"
    periodic: bool = False
    scale: float | None = None
    long_name: str = ""
    standard_name: str = ""
    positive: str = ""
    shown: Shown | None = None

    def __post_init__(self) -> None:
        _units.parse(self.units)
        for name in ("lower", "upper"):
            value = _units.quantity(getattr(self, name), self.units, f"axis bound '{name}'")
            object.__setattr__(self, name, value)
        if not self.lower < self.upper:
            raise PinnlabError(
                f"axis bounds must increase, got lower={self.lower:g} and upper={self.upper:g}"
            )

    @property
    def length(self) -> float:
        """upper - lower, in *units*."""
        return self.upper - self.lower

    @property
    def natural_scale(self) -> float:
        """The declared scale, or half the axis."""
        return self.scale if self.scale is not None else 0.5 * self.length

    def unit_interval(self, value: Any) -> Any:
        """Map [lower, upper] to [-1, 1]."""
        return (value - self.lower) * (2.0 / self.length) - 1.0


@dataclass(frozen=True, init=False)
class Domain:
    """Named axes and a metric: ``Domain(t=Axis(0, 1, "s"), x=Axis(-1, 1, "m"))``.

    The axis called ``t`` is time; *time* names another one. All others are space.

    Raises:
        PinnlabError: an unknown axis name is asked for.
    """

    items: tuple[tuple[str, Axis], ...]
    metric: Metric = field(default_factory=Cartesian)
    time: str | None = None

    def __init__(self, metric: Metric | None = None, time: str | None = None, **axes: Axis):
        object.__setattr__(self, "items", tuple(axes.items()))
        object.__setattr__(self, "metric", metric if metric is not None else Cartesian())
        object.__setattr__(self, "time", time or ("t" if "t" in axes else None))
        if self.time is not None:
            choose("time axis", self.time, axes)

    @classmethod
    def from_fields(cls, items: Iterable[tuple[str, Axis]], **rest: Any) -> Domain:
        """What has these fields: the inverse of reading them."""
        return cls(**{**rest, **dict(items)})

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of all axes, in the order given."""
        return tuple(name for name, _ in self.items)

    @property
    def space(self) -> tuple[str, ...]:
        """The names of the axes other than time."""
        return tuple(name for name in self.axes if name != self.time)

    def __getitem__(self, name: str) -> Axis:
        axes = dict(self.items)
        return axes[choose("axis", name, axes)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.axes)

    def updated(self, changes: Mapping[str, Mapping[str, Any]]) -> Domain:
        """A copy with some attributes of some axes replaced, e.g. ``{"t": {"upper": "2 d"}}``."""
        axes = dict(self.items)
        known = {f.name for f in fields(Axis)}
        for name, change in changes.items():
            axis = self[name]
            for key in change:
                choose(f"attribute of axis '{name}'", key, known)
            axes[name] = replace(axis, **change)
        return Domain(metric=self.metric, time=self.time, **axes)
