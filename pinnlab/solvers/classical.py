"""Classical solvers as frozen settings: what a configuration names, refined for an error floor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid, Scheme
from pinnlab.equations.base import Equation

_SCOUTED = 33  # times at which a coarse solve is looked at
_EXPLICIT_STEPS = 20_000


class Classical(ABC):
    """A classical solver with its resolution."""

    @abstractmethod
    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        """A solution that can be asked anywhere, exact at *times* up to the solver's error."""

    @abstractmethod
    def refined(self) -> Classical:
        """The same with a higher resolution, to measure the error of this one."""

    def coarsened(self) -> Classical | None:
        """The same with a lower resolution, to measure what a lower accuracy costs; None where
        there is none."""
        return None

    def lasting(self, factor: int) -> Classical:
        """The same for a time axis *factor* times as long."""
        return self


def grid_of(
    equation: Equation, n: int | Mapping[str, int], schemes: Scheme | Mapping[str, Scheme]
) -> Grid:
    """A grid with *n* points: Fourier on periodic axes, Chebyshev on others, unless *schemes*."""
    domain = equation.domain

    def scheme(axis: str) -> Scheme:
        if isinstance(schemes, Scheme):
            return schemes
        return schemes.get(axis) or (Fourier() if domain[axis].periodic else Chebyshev())

    points = {axis: n if isinstance(n, int) else n[axis] for axis in domain.space}
    return Grid(domain, {axis: (scheme(axis), points[axis]) for axis in domain.space})


def _scaled(n: int | Mapping[str, int], factor: float) -> int | dict[str, int]:
    """*factor* times the points, rounded up to an even number (odd counts stay odd)."""

    def one(count: int) -> int:
        more = round(count * factor)
        return more + (more - count) % 2

    return one(n) if isinstance(n, int) else {axis: one(count) for axis, count in n.items()}


@dataclass(frozen=True)
class Lines(Classical):
    """Method of lines (:func:`pinnlab.solvers.lines.solve_lines`) on a grid.

    Arguments:
        n: points of each space axis, one number or one for each; unused by an ODE.
        schemes: for axes that shall not have Fourier (periodic) or Chebyshev (others); by axis,
            or one for all.
        solver: ``auto``, ``explicit`` or ``implicit``.
        rtol: relative tolerance of a time step.
    """

    n: int | Mapping[str, int] = 64
    schemes: Scheme | Mapping[str, Scheme] = field(default_factory=dict)
    solver: str = "auto"
    rtol: float = 1e-9

    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        from pinnlab.solvers.lines import solve_lines

        grid = grid_of(equation, self.n, self.schemes)
        return solve_lines(equation, grid, times, solver=self.solver, rtol=self.rtol)

    def refined(self) -> Lines:
        return replace(self, n=_scaled(self.n, 1.5), rtol=self.rtol / 10)

    def coarsened(self) -> Lines | None:
        least = self.n if isinstance(self.n, int) else min(self.n.values())
        if least < 16 or self.rtol > 1e-4:
            return None
        return replace(self, n=_scaled(self.n, 0.75), rtol=self.rtol * 10)


@dataclass(frozen=True)
class Features(Classical):
    """Method of lines on frozen random features (:mod:`pinnlab.solvers.features`).

    Arguments:
        n: collocation points of each space axis, one number or one for each.
        count: random features.
        slope: of the features; about the inverse width of what must be resolved, on [-1, 1].
        seed: of the features.
        solver, rtol: as for :class:`Lines`.
    """

    n: int | Mapping[str, int] = 128
    count: int = 100
    slope: float = 10.0
    seed: int = 0
    solver: str = "auto"
    rtol: float = 1e-9

    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        from pinnlab.core.featurefield import RandomFeatures
        from pinnlab.solvers.features import FeatureDiscretisation
        from pinnlab.solvers.lines import solve_lines

        grid = grid_of(equation, self.n, {})
        features = RandomFeatures(equation.domain, self.count, self.slope, self.seed)
        basis = FeatureDiscretisation(grid, features)
        return solve_lines(equation, basis, times, solver=self.solver, rtol=self.rtol)

    def refined(self) -> Features:
        more = {"n": _scaled(self.n, 1.5), "count": round(1.5 * self.count)}
        return replace(self, rtol=self.rtol / 10, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Placed(Classical):
    """Method of lines on frozen features placed where a first, coarse solve changes
    (:mod:`pinnlab.core.placed`); for one space axis with two ends.

    Arguments:
        density: features for each length over which the solution changes; 6 to 20.
        overlap: width of a feature over the distance to its neighbour.
        scout: points of the coarse solve.
        rtol: as for :class:`Lines`.
    """

    density: float = 8.0
    overlap: float = 4.0
    scout: int = 401
    rtol: float = 1e-9

    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        from pinnlab.core.placed import PlacedFeatures, place
        from pinnlab.solvers.features import FeatureDiscretisation

        (axis,), domain = equation.domain.space, equation.domain
        coarse = Grid(domain, {axis: (FiniteDifference(6), self.scout)})
        even = np.linspace(domain[str(domain.time)].lower, times[-1], _SCOUTED)
        seen = _integrated(equation, coarse, even, 1e-4)
        profiles = [np.asarray(v) / (np.max(np.abs(v)) or 1.0) for v in seen.values.values()]
        layout = place(
            domain[axis], coarse.nodes[axis], np.concatenate(profiles), self.density, self.overlap
        )
        grid = Grid(domain, {axis: (layout, len(layout.places))})
        basis = FeatureDiscretisation(grid, PlacedFeatures(domain, layout))
        return _integrated(equation, basis, times, self.rtol)

    def refined(self) -> Placed:
        return replace(self, density=1.5 * self.density, rtol=self.rtol / 10)


def _integrated(equation: Equation, basis: Any, times: Any, rtol: float) -> Any:
    """Explicitly where that takes no more than some ten thousand steps: an estimate of the
    stiffness would take longer than most such solves."""
    from pinnlab.solvers.lines import solve_lines

    try:
        return solve_lines(equation, basis, times, "explicit", rtol, max_steps=_EXPLICIT_STEPS)
    except PinnlabError:
        return solve_lines(equation, basis, times, "implicit", rtol)


@dataclass(frozen=True)
class Etdrk4(Classical):
    """Exponential time differencing (:func:`pinnlab.solvers.etdrk4.solve_etdrk4`).

    Arguments:
        n: points of each space axis, one number or one for each.
        steps: equal steps over the time axis; the times asked for must fall on them.
    """

    n: int | Mapping[str, int] = 128
    steps: int = 1000

    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        from pinnlab.solvers.etdrk4 import solve_etdrk4

        return solve_etdrk4(equation, self.n, times, self.steps)

    def refined(self) -> Etdrk4:
        return replace(self, n=_scaled(self.n, 1.5), steps=2 * self.steps)

    def coarsened(self) -> Etdrk4 | None:
        least = self.n if isinstance(self.n, int) else min(self.n.values())
        if least < 24 or self.steps % 2:
            return None
        return replace(self, n=_scaled(self.n, 0.75), steps=self.steps // 2)

    def lasting(self, factor: int) -> Etdrk4:
        return replace(self, steps=factor * self.steps)


@dataclass(frozen=True)
class Steady(Classical):
    """Newton's method (:func:`pinnlab.solvers.steady.solve_steady`) on a grid.

    Arguments:
        n: points of each space axis, one number or one for each.
        schemes: for axes that shall not have Fourier (periodic) or Chebyshev (others); by axis,
            or one for all.
    """

    n: int | Mapping[str, int] = 32
    schemes: Scheme | Mapping[str, Scheme] = field(default_factory=dict)

    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        from pinnlab.solvers.steady import solve_steady

        return solve_steady(equation, grid_of(equation, self.n, self.schemes))

    def refined(self) -> Steady:
        return replace(self, n=_scaled(self.n, 1.5))


@dataclass(frozen=True)
class Krylov(Classical):
    """Preconditioned Krylov methods (:func:`pinnlab.solvers.krylov.solve_krylov`) on a grid, for
    linear steady equations of one variable whose sides have given values.

    Arguments:
        n: points of each space axis, one number or one for each.
        schemes: for axes that shall not have Fourier (periodic) or FiniteDifference(2) (others);
            by axis, or one for all.
        rtol: of the last correction relative to the solution, which is no error of the grid.
    """

    n: int | Mapping[str, int] = 64
    schemes: Scheme | Mapping[str, Scheme] = field(default_factory=dict)
    rtol: float = 1e-8

    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        from pinnlab.solvers.krylov import solve_krylov

        domain, schemes = equation.domain, self.schemes
        if isinstance(schemes, Mapping):
            ends = [axis for axis in domain.space if not domain[axis].periodic]
            schemes = {**dict.fromkeys(ends, FiniteDifference(2)), **schemes}
        return solve_krylov(equation, grid_of(equation, self.n, schemes), self.rtol)

    def refined(self) -> Krylov:
        return replace(self, n=_scaled(self.n, 1.5), rtol=self.rtol / 10)

    def coarsened(self) -> Krylov | None:
        least = self.n if isinstance(self.n, int) else min(self.n.values())
        return None if least < 16 else replace(self, n=_scaled(self.n, 0.75))
