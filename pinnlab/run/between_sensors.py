"""An equation on the stretch between two sensors, driven by what they saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.interpolate import make_interp_spline

from pinnlab.core import Dirichlet, Domain, PinnlabError, Variables, parameter
from pinnlab.equations.base import Equation, equation
from pinnlab.solvers.classical import Lines, grid_of
from pinnlab.solvers.discretisation import State
from pinnlab.solvers.lines import solve_lines


def spline(x: np.ndarray, y: np.ndarray, degree: int) -> Callable[[np.ndarray], np.ndarray]:
    """The interpolating spline (not-a-knot) of (n,) points in any order and (n, ...) values."""
    order = np.argsort(x)
    return make_interp_spline(x[order], y[order], k=degree)


@equation
class BetweenSensors(Equation):
    """Another equation of one variable, with series of values, linear between their times, as the
    Dirichlet values at both ends.

    The inner equation and the series are leaves: it is compiled once for all their values.
    """

    inner: Any = parameter(None, "1", long_name="the equation, on the same domain")
    times: Any = parameter(None, "1", long_name="(n,) times of the series")
    lower: Any = parameter(None, "1", long_name="(n,) values at the lower end")
    upper: Any = parameter(None, "1", long_name="(n,) values at the upper end")
    domain: Domain = Domain()
    variables: Variables = Variables()

    def rhs(self, f):
        return self.inner.rhs(f)

    def conditions(self):
        (axis,), (name,) = self.domain.space, self.variables.names

        def of(series: Any) -> Callable[[Mapping[str, Any]], Any]:
            return lambda x: jnp.interp(x[str(self.domain.time)], self.times, series)

        return [
            Dirichlet(axis, "lower", **{name: of(self.lower)}),
            Dirichlet(axis, "upper", **{name: of(self.upper)}),
        ]


def driven(
    kind: Equation,
    times: np.ndarray,
    places: np.ndarray,
    known: np.ndarray,
    pair: tuple[int, int],
    classical: Lines,
) -> Callable[[Equation], np.ndarray]:
    """A solver of equations like *kind* at the records of the sensors from pair to pair.

    The start is the cubic spline through all sensors seen at the first record (of lower degree
    through fewer than four).

    Arguments:
        times, places: (n,) records and (m,) sensors.
        known: (n, m) values, NaN where unknown.
        pair: the numbers of the lower and the upper sensor.

    Returns:
        From an equation to its (n, m) values, NaN outside of the pair.

    Raises:
        PinnlabError: a sensor of the pair was never seen; later, what the solver raises.
    """
    (axis,), (name,), time = kind.domain.space, kind.variables.names, str(kind.domain.time)
    ends = {"lower": float(places[pair[0]]), "upper": float(places[pair[1]]), "periodic": False}
    span = {"lower": float(times[0]), "upper": float(times[-1])}
    domain = kind.domain.updated({axis: ends, time: span})
    lower, upper = (_filled(times, known[:, i], float(places[i])) for i in pair)
    first = known[0].copy()
    first[list(pair)] = lower[0], upper[0]
    at = np.isfinite(first)
    profile = spline(places[at], first[at], min(3, int(at.sum()) - 1))
    inside = (places >= ends["lower"]) & (places <= ends["upper"])

    def solve(equation: Equation) -> np.ndarray:
        cut = BetweenSensors(
            equation.replace(domain=domain), times, lower, upper, domain, equation.variables
        )
        grid = grid_of(cut, classical.n, classical.schemes)
        start = State({name: jnp.asarray(profile(grid.nodes[axis]))}, {})
        solution = solve_lines(
            cut, grid, times.tolist(), classical.solver, classical.rtol, initial=start
        )
        values = np.full(known.shape, np.nan)
        values[:, inside] = solution(name, **{time: times[:, None], axis: places[inside]})
        return values

    return solve


def _filled(times: np.ndarray, series: np.ndarray, place: float) -> np.ndarray:
    """A (n,) series, linear over the records that it lacks."""
    seen = np.isfinite(series)
    if not seen.any():
        raise PinnlabError(f"baselines: the sensor at {place:g} was never seen")
    return np.interp(times, times[seen], series[seen])
