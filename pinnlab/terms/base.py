"""The contract of a term."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from pinnlab.core.domain import Domain
from pinnlab.equations.base import Equation
from pinnlab.models.model import Model

Batch = Mapping[str, Any]  # columns of (N,) arrays: one for each axis, and what the term adds

# Columns of mean one that weigh the points of a term; a batch without them weighs all alike.
MEASURE = "_measure"  # the share of the domain that a point stands for: quadrature
WEIGHT = "_weight"  # the attention that a training pays to it
# Columns before names of variables that make rows of a residual those of a step in pseudo time:
# the inverse of its length with its sign, and the state from which it is made.
RATE, HELD = "_rate_", "_held_"


def spread(domain: Domain, axes: Sequence[str], unit: Any, reach: float) -> dict[str, Any]:
    """Columns of the named *axes* from the unit cube, time only up to its share *reach*."""
    return {
        axis: domain[axis].lower
        + domain[axis].length * (reach if axis == domain.time else 1.0) * unit[:, i]
        for i, axis in enumerate(axes)
    }


def weighed(columns: Batch) -> tuple[Batch, Any]:
    """The columns that rows are made of, and the (N,) weights of the points; None for none."""
    given = [columns[name] for name in (MEASURE, WEIGHT) if name in columns]
    rest = {name: c for name, c in columns.items() if name not in (MEASURE, WEIGHT)}
    return rest, math.prod(given[1:], start=given[0]) if given else None


class Term(ABC):
    """One source of rows.

    ``row`` works on one point; batching is ``vmap`` outside. Points come from the unit cube of
    ``dims`` dimensions through ``place``, or are ``fixed``. Rows are divided by their natural
    scale, so that weights compare like with like.
    """

    name: str
    dims: int = 0
    share: float = 1.0  # number of points, relative to the run's
    adaptive: bool = False  # whether an adaptive sampler may choose its points
    box: tuple[str, ...] = ()  # the axes of the unit cube, if each is placed by itself

    @abstractmethod
    def row(self, model: Model, params: Any, equation: Equation, point: Batch) -> Any:
        """(k,) rows at one point."""

    def place(self, unit: Any, reach: float = 1.0) -> Batch:
        """Map (N, dims) points of the unit cube to columns of coordinates, up to the share
        *reach* of the time axis."""
        raise NotImplementedError(f"the points of term '{self.name}' are fixed")

    def draw(self, key: Any, n: int, step: bool) -> Batch | None:
        """Columns of *n* points of the term's own choice, for training steps or for the loss on
        points that no step sees; None where a sampler chooses."""
        return None

    def states(self, model: Model, params: Any, equation: Equation, point: Batch) -> dict[str, Any]:
        """The variables that the rows change in pseudo time, over their scales; none as a rule."""
        return {}

    @property
    def fixed(self) -> Batch | None:
        """The term's own points, where it has them."""
        return None
