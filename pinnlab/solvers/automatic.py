"""The cheapest classical way to an equation, refined until two resolutions agree.

Which features are frozen follows from the equation: Fourier modes on periodic boxes, with an
exponential integrator; placed tanh features (:mod:`pinnlab.core.placed`) on one axis with two
ends; Chebyshev polynomials otherwise. Each rung of the ladder has more of them and a smaller step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnlab.core.conditions import Boundary
from pinnlab.core.errors import PinnlabError
from pinnlab.equations.base import Equation
from pinnlab.solvers.classical import Classical, Etdrk4, Lines, Placed, Steady
from pinnlab.solvers.gridsolution import started

TOLERANCES = {"fast": 1e-4, "auto": 1e-8, "accurate": 1e-10}  # of the change, by method
_DENSITIES = (6.0, 9.0, 13.0, 19.0)  # of placed features
_MODES = (128, 256, 512, 1024, 2048, 4096)
_POINTS = {1: 401, 2: 65}  # an axis, by the number of them, where two rungs are compared


@dataclass(frozen=True)
class Rung:
    """A solution with the seconds since the climb began, and for each variable the relative L2
    change from the rung before (None for the first)."""

    solver: Classical
    solution: Any
    seconds: float
    change: Mapping[str, float] | None


def climb(equation: Equation, times: Sequence[float], tolerance: float) -> Iterator[Rung]:
    """Solve at growing resolution, until the change falls to *tolerance* or the ladder ends.

    The change is the error of the rung before, about; that of the last rung is smaller.

    Raises:
        PinnlabError: an equation that no solver here takes, or a tolerance that is not positive.
    """
    if not tolerance > 0:
        raise PinnlabError(f"tolerance: give a positive number, got {tolerance:g}")
    begun, before = time.monotonic(), None
    places = _places(equation, times)
    for solver in ladder(equation, times):
        solution = solver.solve(equation, times)
        found = started(solution, equation, places)
        change = None if before is None else {n: _apart(before[n], found[n]) for n in found}
        yield Rung(solver, solution, time.monotonic() - begun, change)
        if change is not None and max(change.values()) <= tolerance:
            return
        before = found


def ladder(equation: Equation, times: Sequence[float]) -> list[Classical]:
    """The solvers for an equation, from coarse to fine."""
    domain, space = equation.domain, equation.domain.space
    if domain.time is None:
        return [Steady(n=n) for n in ((24, 48, 96, 192) if len(space) == 1 else (16, 24, 36, 54))]
    steps = _steps(domain[domain.time].lower, domain[domain.time].upper, times)
    if space and all(domain[a].periodic for a in space) and steps:
        most = {1: 6, 2: 2}.get(len(space), 1)
        return [Etdrk4(n=n, steps=(n // 128) * steps) for n in _MODES[:most]]
    if _placeable(equation):
        return [Placed(density=d, rtol=10.0 ** (-8 - i)) for i, d in enumerate(_DENSITIES)]
    sizes = {0: (2, 2, 2), 1: (32, 64, 128, 256), 2: (16, 24, 36, 54)}.get(len(space), (12, 18, 27))
    return [Lines(n=n, rtol=10.0 ** (-8 - i)) for i, n in enumerate(sizes)]


def _placeable(equation: Equation) -> bool:
    """Whether placed features take it: one axis with two ends, every variable evolving, plain
    numbers in the boundary conditions."""
    space, given = equation.domain.space, equation.conditions()
    walls = [c for c in given if isinstance(c, Boundary)]
    return (
        len(space) == 1
        and not equation.domain[space[0]].periodic
        and all(v.order for v in map(equation.variables.__getitem__, equation.variables))
        and all(isinstance(number, (int, float)) for c in walls for number in (c.a, c.b))
    )


def _steps(lower: float, upper: float, times: Sequence[float]) -> int | None:
    """About a thousand equal steps on which all *times* fall, or None."""
    share = (np.asarray(times, float) - lower) / (upper - lower)
    for count in range(1, 2001):
        if np.all(np.abs(share * count - np.round(share * count)) < 1e-9 * count):
            return count * -(-1000 // count)
    return None


def _places(equation: Equation, times: Sequence[float]) -> dict[str, np.ndarray]:
    domain = equation.domain
    count = _POINTS.get(len(domain.space), 17)
    places = {
        axis: np.linspace(domain[axis].lower, domain[axis].upper, count) for axis in domain.axes
    }
    if domain.time is not None:
        places[domain.time] = np.asarray(times, float)
    return places


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / (size or 1.0)
