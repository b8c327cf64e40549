"""Ways without a network to predict the held-out observations: what a learned solution must beat.

Each is a frozen dataclass that a yaml names under ``baselines`` and that is called with the
equation and the observations. Held-out values enter the final error and nothing before it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.optimize import minimize_scalar

from pinnlab.core import Dirichlet, Domain, PinnlabError, Variables, parameter
from pinnlab.core.errors import choose
from pinnlab.core.precision import precision
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation, equation
from pinnlab.run.observed import Observed
from pinnlab.solvers.classical import Lines, grid_of
from pinnlab.solvers.discretisation import State
from pinnlab.solvers.lines import solve_lines

DEGREES = {"linear": 1, "quadratic": 2, "cubic": 3}


class Prediction(NamedTuple):
    """A tensor like the observations', NaN where nothing is predicted, and what was fitted."""

    values: np.ndarray
    fitted: Mapping[str, float]


class Baseline(ABC):
    """A prediction of the held-out observations from the others."""

    @abstractmethod
    def predict(self, equation: Equation, observed: Observed) -> Prediction:
        """The prediction; the held-out values do not enter it."""

    def __call__(self, equation: Equation, observed: Observed) -> dict[str, float]:
        """The RMSE at the held-out values that are predicted, how many these are, the seconds
        that the prediction took, and what was fitted.

        Raises:
            PinnlabError: nothing is held out or predicted, or what the baseline itself raises.
        """
        begun = time.perf_counter()
        values, fitted = self.predict(equation, observed)
        seconds = time.perf_counter() - begun
        judged = observed.held_out & np.isfinite(observed.values) & np.isfinite(values)
        if not judged.any():
            raise PinnlabError(
                f"{type(self).__name__} (baselines) predicts no held-out value: hold some out "
                "(observations.held_out), with others seen at the same times"
            )
        error = values[judged] - observed.values[judged]
        rmse = float(np.sqrt(np.mean(error**2)))
        return {
            "rmse_held_out": rmse, "seconds": seconds, "judged": int(judged.sum()), **fitted
        }


def known_values(observed: Observed) -> np.ndarray:
    """What a baseline may see: NaN where held out or not seen."""
    return np.where(observed.held_out, np.nan, observed.values)


def as_series(
    equation: Equation, observed: Observed, tensor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The (n,) times and *tensor* as (n, sensors).

    Raises:
        PinnlabError: an equation without a time axis.
    """
    axis = equation.domain.time
    if axis is None:
        raise PinnlabError(f"{type(equation).__name__} has no time axis: no sensor has a series")
    dim = list(observed.coordinates).index(axis)
    return observed.coordinates[axis], np.moveaxis(tensor, dim, 0).reshape(tensor.shape[dim], -1)


def as_tensor(equation: Equation, observed: Observed, series: np.ndarray) -> np.ndarray:
    """The inverse of :func:`as_series`."""
    dim = list(observed.coordinates).index(str(equation.domain.time))
    shape = np.moveaxis(observed.values, dim, 0).shape
    return np.moveaxis(series.reshape(shape), 0, dim)


def spline(x: np.ndarray, y: np.ndarray, degree: int) -> Callable[[np.ndarray], np.ndarray]:
    """The interpolating spline (not-a-knot) of (n,) points in any order and (n, ...) values."""
    order = np.argsort(x)
    return make_interp_spline(x[order], y[order], k=degree)


@dataclass(frozen=True)
class Interpolation(Baseline):
    """A spline along one axis through what is known at the same other coordinates.

    With ``axis`` a depth: at each time through the sensors that are not held out then. Beyond the
    outermost of them it extrapolates.

    Arguments:
        axis: the axis.
        kind: ``linear``, ``quadratic`` or ``cubic`` (not-a-knot: one cubic through four points).
    """

    axis: str
    kind: str = "cubic"

    def predict(self, equation: Equation, observed: Observed) -> Prediction:
        """The spline at the held-out observations.

        Raises:
            PinnlabError: an unknown axis or kind, or too few known values beside a held-out one.
        """
        degree = DEGREES[choose("kind of interpolation", self.kind, DEGREES)]
        dim = list(observed.coordinates).index(choose("axis", self.axis, observed.coordinates))
        x, tensor = observed.coordinates[self.axis], np.moveaxis(known_values(observed), dim, -1)
        lines = tensor.reshape(-1, len(x))
        wanted = np.moveaxis(observed.held_out, dim, -1).reshape(lines.shape)
        predicted = np.full(lines.shape, np.nan)
        kinds, which = np.unique(
            np.hstack([np.isfinite(lines), wanted]), axis=0, return_inverse=True
        )
        for i, (seen, holes) in enumerate(kinds.reshape(-1, 2, len(x))):
            here = np.flatnonzero(which.ravel() == i)
            if not holes.any():
                continue
            if seen.sum() <= degree:
                raise PinnlabError(
                    f"Interpolation (baselines): {self.kind} along '{self.axis}' needs "
                    f"{degree + 1} known values beside a held-out one, there are {seen.sum()}"
                )
            through = spline(x[seen], lines[np.ix_(here, seen)].T, degree)
            predicted[np.ix_(here, holes)] = through(x[holes]).T
        return Prediction(np.moveaxis(predicted.reshape(tensor.shape), -1, dim), {})


@dataclass(frozen=True)
class LaggedRegression(Baseline):
    """Linear regression of a failed sensor on the others, at the same and at earlier records.

    The others are those that never fail. A distributed-lag model: it learns the response of one
    sensor to the others without any equation, so it needs a time in which the failed one was seen,
    and records at a constant interval. Records before the largest lag are dropped.

    Arguments:
        lags: non-negative, in records.
        ridge: penalty on the coefficients of standardised predictors, per record (Hoerl & Kennard,
            *Technometrics* 12, 1970, 55-67); 0 is ordinary least squares.

    Raises:
        PinnlabError: lags or a ridge that are negative, or no lags.
    """

    lags: Sequence[int] = (0, 1, 2, 4, 6, 8, 12, 16, 24, 36, 48)
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if not self.lags or min(self.lags) < 0 or self.ridge < 0:
            raise PinnlabError(
                "LaggedRegression (baselines): lags are numbers of records >= 0, ridge is >= 0, "
                f"got lags={list(self.lags)} and ridge={self.ridge:g}"
            )

    def predict(self, equation: Equation, observed: Observed) -> Prediction:
        """The regression at all records of each failed sensor that have their lags.

        Raises:
            PinnlabError: no time axis, no sensor that never fails, or too few records to train on.
        """
        _, known = as_series(equation, observed, known_values(observed))
        _, held_out = as_series(equation, observed, observed.held_out)
        failed = held_out.any(axis=0)
        if failed.all():
            raise PinnlabError("LaggedRegression (baselines): there is no sensor that never fails")
        predictors = self._lagged(known[:, ~failed])
        predicted = np.full(known.shape, np.nan)
        for sensor in np.flatnonzero(failed):
            predicted[:, sensor] = self._regress(predictors, known[:, sensor])
        return Prediction(as_tensor(equation, observed, predicted), {})

    def _lagged(self, others: np.ndarray) -> np.ndarray:
        """(n, sensors) -> (n, lags * sensors), NaN before the first record."""
        n = len(others)
        before = np.full((max(self.lags), others.shape[1]), np.nan)
        padded = np.concatenate([before, others])
        return np.hstack([padded[max(self.lags) - lag :][:n] for lag in self.lags])

    def _regress(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        whole = np.isfinite(x).all(axis=1)
        train = whole & np.isfinite(y)
        if train.sum() <= (0 if self.ridge else x.shape[1]):
            raise PinnlabError(
                f"LaggedRegression (baselines): {train.sum()} records to train {x.shape[1] + 1} "
                "coefficients on: give fewer lags, or a ridge > 0"
            )
        mean, size = x[train].mean(axis=0), x[train].std(axis=0)
        x = (x - mean) / np.where(size > 0, size, 1.0)
        penalty = np.sqrt(self.ridge * train.sum()) * np.eye(x.shape[1])
        rows = np.concatenate([x[train], penalty])
        target = np.concatenate([y[train] - y[train].mean(), np.zeros(len(penalty))])
        coefficients = np.linalg.lstsq(rows, target, rcond=None)[0]
        return np.where(whole, x @ coefficients + y[train].mean(), np.nan)


@equation
class BetweenSensors(Equation):
    """Another equation of one variable on the stretch between two sensors, whose series, linear
    between the records, are its Dirichlet values.

    The inner equation and the series are leaves: it is compiled once for all their values.
    """

    inner: Any = parameter(None, "1", long_name="the equation on the same domain")
    times: Any = parameter(None, "1", long_name="(n,) times of the records")
    lower: Any = parameter(None, "1", long_name="(n,) values at the lower end")
    upper: Any = parameter(None, "1", long_name="(n,) values at the upper end")
    domain: Domain = Domain()
    variables: Variables = Variables()

    def rhs(self, f):
        return self.inner.rhs(f)

    def conditions(self):
        (axis,), (name,) = self.domain.space, self.variables.names

        def of(series: Any) -> Callable[[Mapping[str, Any]], Any]:
            return lambda x: jnp.interp(x[self.domain.time], self.times, series)

        return [
            Dirichlet(axis, "lower", **{name: of(self.lower)}),
            Dirichlet(axis, "upper", **{name: of(self.upper)}),
        ]


@dataclass(frozen=True)
class ClassicalFit(Baseline):
    """The equation solved by the method of lines between two sensors, one parameter fitted.

    Least squares over one uniform parameter by Brent's bounded search, in the logarithm where its
    bounds are positive; after Horton, Wierenga & Nielsen, *Soil Sci. Soc. Am. J.* 47, 1983, 25-32,
    who so find the diffusivity of a soil. The two sensors' series are Dirichlet values; the profile
    at the first record is the cubic through all sensors seen then.

    Arguments:
        parameter: the equation's parameter.
        between: the places of the two sensors, with or without a unit; by default the outermost of
            those that never fail.
        fit: ``all`` fits to all sensors between the two, ``own`` to the failed ones alone.
        classical: the grid and the tolerance.
    """

    parameter: str
    between: Sequence[float | str] | None = None
    fit: str = "all"
    classical: Lines = field(
        default_factory=lambda: Lines(n=25, solver="implicit", rtol=1e-5)
    )

    def predict(self, equation: Equation, observed: Observed) -> Prediction:
        """The fitted solution at all records of the sensors between the two.

        Raises:
            PinnlabError: an equation that this does not solve, an unknown parameter or sensor, a
                sensor of the pair that fails, nothing to fit to, or what the solver raises.
        """
        choose("fit (baselines)", self.fit, ("all", "own"))
        bounds = self._bounds(equation, observed)
        times, known = as_series(equation, observed, known_values(observed))
        failed = as_series(equation, observed, observed.held_out)[1].any(axis=0)
        places = observed.coordinates[equation.domain.space[0]]
        pair = self._pair(equation, places, failed)
        inside = (places > places[pair[0]]) & (places < places[pair[1]])
        use = inside & failed if self.fit == "own" else inside
        seen = np.isfinite(known) & use
        if not seen.any():
            raise PinnlabError("ClassicalFit (baselines): nothing is seen between the two sensors")
        with precision("float64"):
            solve = self._solver(equation, times, places, known, pair)

            def misfit(share: float) -> float:
                return float(np.mean((solve(_between(share, bounds)) - known)[seen] ** 2))

            found = minimize_scalar(
                misfit, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4}
            )
            value = _between(float(found.x), bounds)
            predicted = np.where(inside, solve(value), np.nan)
        fitted = {self.parameter: value, "rmse_fitted": float(np.sqrt(found.fun))}
        return Prediction(as_tensor(equation, observed, predicted), fitted)

    def _bounds(self, equation: Equation, observed: Observed) -> tuple[float, float]:
        """The bounds of the parameter, once it is known that the equation is one to solve."""
        kind, variables = type(equation).__name__, equation.variables
        if (
            len(equation.domain.space) != 1
            or variables.names != (observed.variable,)
            or variables[observed.variable].order != 1
        ):
            raise PinnlabError(
                "ClassicalFit (baselines) solves equations of one variable, of order 1 in time, "
                f"along one axis of space; {kind} is none: drop this baseline"
            )
        known = equation.parameters()
        choose("parameter (baselines)", self.parameter, known)
        bounds = known[self.parameter].bounds
        if not np.all(np.isfinite(bounds)):
            raise PinnlabError(
                f"ClassicalFit (baselines): '{self.parameter}' of {kind} has no finite bounds to "
                "search between: give them where the equation declares it"
            )
        return bounds

    def _pair(self, equation: Equation, places: np.ndarray, failed: np.ndarray) -> tuple[int, int]:
        """The numbers of the lower and the upper sensor."""
        whole = ", ".join(f"{place:g}" for place in places[~failed])
        if self.between is None:
            pair = np.flatnonzero(~failed)
        else:
            unit = equation.domain[equation.domain.space[0]].units
            asked = [quantity(p, unit, "between (baselines)") for p in self.between]
            near = np.isclose(places[:, None], asked).any(axis=1) if len(asked) == 2 else failed
            pair = np.flatnonzero(near & ~failed)
        if len(pair) < 2 or (self.between is not None and len(pair) != 2):
            raise PinnlabError(
                f"ClassicalFit (baselines): between={self.between}, but it takes the places of two "
                f"sensors that never fail; these stand at {whole or '(none)'}"
            )
        pair = pair[np.argsort(places[pair])]
        return int(pair[0]), int(pair[-1])

    def _solver(
        self,
        equation: Equation,
        times: np.ndarray,
        places: np.ndarray,
        known: np.ndarray,
        pair: tuple[int, int],
    ) -> Callable[[float], np.ndarray]:
        """From the parameter's value to (n, sensors), NaN outside of the pair."""
        (axis,), time = equation.domain.space, str(equation.domain.time)
        stretch = {"lower": float(places[pair[0]]), "upper": float(places[pair[1]])}
        span = {"lower": float(times[0]), "upper": float(times[-1])}
        domain = equation.domain.updated({axis: {**stretch, "periodic": False}, time: span})
        lower, upper = (_filled(times, known[:, i]) for i in pair)
        first = known[0].copy()
        first[list(pair)] = lower[0], upper[0]
        at = np.isfinite(first)
        profile = spline(places[at], first[at], min(3, at.sum() - 1))
        inside = (places >= stretch["lower"]) & (places <= stretch["upper"])

        def solve(value: float) -> np.ndarray:
            inner = equation.replace(domain=domain, **{self.parameter: value})
            cut = BetweenSensors(inner, times, lower, upper, domain, equation.variables)
            grid = grid_of(cut, self.classical.n, self.classical.schemes)
            start = State({cut.variables.names[0]: jnp.asarray(profile(grid.nodes[axis]))}, {})
            solution = solve_lines(
                cut, grid, times, self.classical.solver, self.classical.rtol, initial=start
            )
            values = np.full(known.shape, np.nan)
            values[:, inside] = solution(
                cut.variables.names[0], **{time: times[:, None], axis: places[inside]}
            )
            return values

        return solve


def _between(share: float, bounds: tuple[float, float]) -> float:
    """A value inside *bounds* by its share: of the logarithm, where they are positive."""
    lower, upper = bounds
    if lower > 0:
        return lower * (upper / lower) ** share
    return lower + (upper - lower) * share


def _filled(times: np.ndarray, series: np.ndarray) -> np.ndarray:
    """A (n,) series, linear over the records that it lacks."""
    seen = np.isfinite(series)
    if not seen.any():
        raise PinnlabError("ClassicalFit (baselines): a sensor of the pair has no record")
    return np.interp(times, times[seen], series[seen])
