"""Ways without a network to predict the held-out observations: what a learned solution must beat.

Each is a frozen dataclass that a yaml names under ``baselines`` and that is called with the
equation and the observations. Held-out values enter the final error and nothing before it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.precision import precision
from pinnlab.core.schemes import FiniteDifference
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.run.between_sensors import driven, spline
from pinnlab.run.observed import Observed
from pinnlab.solvers.classical import Lines

DEGREES = {"linear": 1, "quadratic": 2, "cubic": 3}
QUICK_LINES = Lines(31, FiniteDifference(), "explicit", rtol=1e-5)
HOPELESS = 1e30  # a finite misfit: Brent takes differences


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
                "(observations.held_out), with enough others seen at the same times"
            )
        error = values[judged] - observed.values[judged]
        rmse = float(np.sqrt(np.mean(error**2)))
        return {"rmse_held_out": rmse, "seconds": seconds, "judged": int(judged.sum()), **fitted}


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
        """The spline at the held-out observations that have enough known ones beside them.

        Raises:
            PinnlabError: an unknown axis or kind.
        """
        degree = DEGREES[choose("kind of interpolation", self.kind, DEGREES)]
        dim = list(observed.coordinates).index(choose("axis", self.axis, observed.coordinates))
        x, tensor = observed.coordinates[self.axis], np.moveaxis(known_values(observed), dim, -1)
        lines = tensor.reshape(-1, len(x))
        wanted = np.moveaxis(observed.held_out, dim, -1).reshape(lines.shape)
        predicted = np.full(lines.shape, np.nan)
        masks = np.hstack([np.isfinite(lines), wanted])
        kinds, which = np.unique(masks, axis=0, return_inverse=True)
        for i, (seen, holes) in enumerate(kinds.reshape(-1, 2, len(x))):
            here = np.flatnonzero(which.ravel() == i)
            if holes.any() and seen.sum() > degree:
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
        lags: in records, 0 or more.
        ridge: penalty on the coefficients of standardised predictors, per record (Hoerl & Kennard,
            *Technometrics* 12, 1970, 55-67); 0 is ordinary least squares.

    Raises:
        PinnlabError: no lags, lags that are no natural numbers, or a negative ridge.
    """

    lags: Sequence[int] = (0, 1, 2, 4, 6, 8, 12, 16, 24, 36, 48)
    ridge: float = 0.0

    def __post_init__(self) -> None:
        natural = all(isinstance(lag, int) and lag >= 0 for lag in self.lags)
        if not (self.lags and natural and self.ridge >= 0):
            raise PinnlabError(
                "LaggedRegression (baselines): lags are whole numbers >= 0 and ridge is >= 0, "
                f"got lags={list(self.lags)} and ridge={self.ridge}"
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
        x = (x - mean) / np.where(size > 1e-12 * np.abs(mean), size, 1.0)
        penalty = np.sqrt(self.ridge * train.sum()) * np.eye(x.shape[1])
        rows = np.concatenate([x[train], penalty])
        target = np.concatenate([y[train] - y[train].mean(), np.zeros(len(penalty))])
        coefficients = np.linalg.lstsq(rows, target, rcond=None)[0]
        return np.where(whole, x @ coefficients + y[train].mean(), np.nan)


@dataclass(frozen=True)
class ClassicalFit(Baseline):
    """The equation solved by the method of lines between two sensors, one parameter fitted.

    For one variable along one axis, of second order there. Least squares over one uniform parameter
    by Brent's bounded search, in the logarithm where its bounds are positive; after Horton,
    Wierenga & Nielsen, *Soil Sci. Soc. Am. J.* 47, 1983, 25-32, who so find the diffusivity of a
    soil. The two sensors' series are Dirichlet values; the first profile is a cubic spline.

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
    classical: Lines = QUICK_LINES

    def predict(self, equation: Equation, observed: Observed) -> Prediction:
        """The fitted solution at all records of the sensors between the two.

        Raises:
            PinnlabError: an equation that this does not solve, an unknown parameter or sensor, a
                sensor of the pair that fails, nothing to fit to, or what the solver raises.
        """
        choose("fit (baselines)", self.fit, ("all", "own"))
        bounds = self._bounds(equation, observed)
        times, known = as_series(equation, observed, known_values(observed))
        _, held_out = as_series(equation, observed, observed.held_out)
        failed = np.any(held_out, axis=0)
        places = observed.coordinates[equation.domain.space[0]]
        pair = self._pair(equation, places, failed)
        inside = (places > places[pair[0]]) & (places < places[pair[1]])
        seen = np.isfinite(known) & (inside & failed if self.fit == "own" else inside)
        if not seen.any():
            raise PinnlabError("ClassicalFit (baselines): nothing is seen between the two sensors")
        with precision("float64"):
            solve = driven(equation, times, places, known, pair, self.classical)

            def at(share: float) -> np.ndarray:
                return solve(equation.replace(**{self.parameter: _between(share, bounds)}))

            def misfit(share: float) -> float:
                try:
                    return float(np.mean((at(share) - known)[seen] ** 2))
                except PinnlabError:  # a value that cannot be solved with; raised again at the end
                    return HOPELESS

            found = minimize_scalar(
                misfit, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4}
            )
            predicted = np.where(inside, at(found.x), np.nan)
        value = _between(float(found.x), bounds)
        fitted = {self.parameter: value, "rmse_fitted": float(np.sqrt(found.fun))}
        return Prediction(as_tensor(equation, observed, predicted), fitted)

    def _bounds(self, equation: Equation, observed: Observed) -> tuple[float, float]:
        """The bounds of the parameter, once it is known that the equation is one to solve."""
        kind, variables = type(equation).__name__, equation.variables
        alone = variables.names == (observed.variable,)
        if len(equation.domain.space) != 1 or not alone or variables[observed.variable].order != 1:
            raise PinnlabError(
                "ClassicalFit (baselines) solves equations of one variable, of order 1 in time, "
                f"along one axis of space, and {kind} is none: leave this baseline out"
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
        (axis,) = equation.domain.space
        pair = whole = [i for i in np.argsort(places) if not failed[i]]
        if self.between is not None:
            unit = equation.domain[axis].units
            asked = [quantity(place, unit, "between (baselines)") for place in self.between]
            pair = [i for i in whole if np.isclose(places[i], asked).any()]
        if len(pair) < 2 or (self.between is not None and len(pair) > 2):
            raise PinnlabError(
                f"ClassicalFit (baselines): between={self.between}, but it takes the places of two "
                f"sensors that never fail; these have {axis} = "
                + ", ".join(f"{places[i]:g}" for i in whole)
            )
        return int(pair[0]), int(pair[-1])


def _between(share: float, bounds: tuple[float, float]) -> float:
    """A value inside *bounds* by its share: of the logarithm, where they are positive."""
    lower, upper = bounds
    return lower * (upper / lower) ** share if lower > 0 else lower + (upper - lower) * share
