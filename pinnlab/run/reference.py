"""The truth beside a result, and how far it can be trusted."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pinnlab.core import scores
from pinnlab.core.precision import precision
from pinnlab.equations.base import Equation
from pinnlab.solvers.classical import Classical
from pinnlab.solvers.gridsolution import started

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Reference:
    """Values on the output grid with their measured floor (relative L2 for each variable); of
    *many* solutions on the first axis, if an operator is tested, and at the start and the end of
    each step on the second one, if it is *stepped*."""

    name: str
    values: Arrays = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    classical: dict[str, Any] = field(default_factory=dict)
    many: bool = False
    stepped: bool = False

    def one_step(self, values: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The same at the end of the first step; nothing where there are no steps."""
        if not self.stepped:
            return {}
        first = {name: truth[:, 1] for name, truth in self.values.items()}
        made = replace(self, values=first, stepped=False)
        return made.relative_l2({name: values[name][:, 1] for name in first})

    def relative_l2(self, values: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The relative L2 error of each variable; where *many* solutions are on the first axis,
        the mean over them."""
        if not self.many:
            return {name: relative_l2(values[name], truth) for name, truth in self.values.items()}
        each = {
            name: scores.relative_l2(values[name], truth) for name, truth in self.values.items()
        }
        return {name: float(errors.mean()) for name, errors in each.items()}


def relative_l2(a: np.ndarray, b: np.ndarray) -> float:
    """|a - b| / |b| in the Euclidean norm; |a - b| where b vanishes."""
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / (size or 1.0)


def tensor(coordinates: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """(n,) axes as full arrays on their tensor product."""
    grids = np.meshgrid(*coordinates.values(), indexing="ij")
    return dict(zip(coordinates, grids, strict=True))


def make_reference(
    equation: Equation, classical: Classical | None, coordinates: Mapping[str, np.ndarray]
) -> Reference:
    """The exact solution where there is one, else the refined classical solution.

    The floor of a closed form is its change under one unit in the last place of its coordinates;
    of a quadrature (an ``exact`` that takes ``nodes``), its change with fewer nodes; of a
    classical solution, the change between it and the refined one. The classical solver's own
    error and seconds stand beside it in any case.
    """
    with precision("float64"):
        exact = _exact(equation, coordinates)
        if classical is None:
            return Reference("exact", *exact) if exact else Reference("none")
        coarse, seconds = _timed(classical, equation, coordinates)
        said = {"solver": type(classical).__name__, "seconds": seconds}
        if exact:
            error = {n: relative_l2(coarse[n], exact[0][n]) for n in exact[0]}
            return Reference("exact", *exact, {**said, "relative_l2": error})
        fine, _ = _timed(classical.refined(), equation, coordinates)
        floor = {n: relative_l2(coarse[n], fine[n]) for n in fine}
        said["relative_l2"] = floor
        return Reference(f"{type(classical).__name__}, refined", fine, floor, said)


def _exact(
    equation: Equation, coordinates: Mapping[str, np.ndarray]
) -> tuple[Arrays, dict[str, float]] | None:
    points = tensor(coordinates)
    values = equation.exact(points)
    if values is None:
        return None
    if "nodes" in inspect.signature(equation.exact).parameters:
        other = equation.exact(points, nodes=100)  # type: ignore[call-arg]
    else:
        other = equation.exact({axis: np.nextafter(x, np.inf) for axis, x in points.items()})
    made = {name: np.asarray(value) for name, value in values.items()}
    return made, {n: relative_l2(np.asarray(other[n]), made[n]) for n in made}  # type: ignore[index]


def _timed(
    classical: Classical, equation: Equation, coordinates: Mapping[str, np.ndarray]
) -> tuple[Arrays, float]:
    times = list(coordinates[equation.domain.time]) if equation.domain.time else []
    begun = time.monotonic()
    solution = classical.solve(equation, times)
    return started(solution, equation, coordinates), time.monotonic() - begun
