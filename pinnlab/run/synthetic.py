"""Observations made from an equation's closed form, to see whether its parameters come back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.precision import precision
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.run.observed import Observed, read_observed

Places = Mapping[str, int | Sequence[float | str]]
_WITHOUT_NOISE = 0.01  # of the values' size: what counts as an error of one where there is no noise


def make_observed(equation: Equation, given: Mapping[str, Any]) -> Observed:
    """The observations of a configuration: synthetic where it gives the truth, else from a file.

    Raises:
        PinnlabError: a key that there is not, or what the two kinds raise.
    """
    make = synthetic_observed if "truth" in given else read_observed
    known = list(inspect.signature(make).parameters)[1:]
    for key in given:
        choose("key of observations", str(key), known)
    needed = inspect.signature(make).parameters.values()
    missing = [p.name for p in needed if p.default is p.empty and p.name not in given][1:]
    if missing:
        raise PinnlabError(f"observations.{missing[0]}: it is missing")
    return make(equation, **given)


def synthetic_observed(
    equation: Equation,
    truth: Mapping[str, float | str],
    variable: str,
    places: Places,
    noise: float = 0.0,
    seed: int = 0,
    sigma: float | str | None = None,
) -> Observed:
    """Values of ``equation.exact`` with the parameters *truth*, on a tensor of places, with noise.

    Arguments:
        truth: for the parameters to be learned their values, in their units or with a unit.
        places: for each axis its coordinates, or how many even ones inside of it, ends left out.
        noise: standard deviation of independent normal noise, as a share of the root mean square
            of the values; 0.01 is one per cent.
        seed: of the noise.
        sigma: what the training takes for the standard deviation, in the variable's units; the
            noise's own by default, and one per cent of the root mean square without noise.

    Raises:
        PinnlabError: an unknown name, a value or a place outside, or an equation without a
            closed form.
    """
    if not truth:
        raise PinnlabError("observations.truth: name a parameter with its value")
    values = {}
    for name, value in truth.items():
        known = equation.parameters()
        parameter = known[choose("parameter (observations.truth)", str(name), known)]
        where = f"observations.truth.{name}"
        values[str(name)] = parameter.check(quantity(value, parameter.units, where), where)
    choose("variable (observations.variable)", variable, equation.variables.names)
    if set(places) != set(equation.domain.axes):
        raise PinnlabError(f"observations.places: give each axis of {equation.domain.axes}")
    if not noise >= 0.0:
        raise PinnlabError(f"observations.noise: {noise!r} is no share >= 0")
    coordinates = {a: _places(equation, a, places[a]) for a in equation.domain.axes}
    grids = np.meshgrid(*coordinates.values(), indexing="ij")
    with precision("float64"):
        exact = equation.replace(**values).exact(dict(zip(coordinates, grids, strict=True)))
    kind = type(equation).__name__
    if exact is None:
        raise PinnlabError(f"observations.truth: {kind} has no closed form to take values from")
    clean = np.asarray(exact[variable], float)
    size = float(np.sqrt(np.mean(clean**2)))
    normal = np.random.default_rng(seed).standard_normal(clean.shape)
    unit = equation.variables[variable].units
    spread = (noise or _WITHOUT_NOISE) * size
    said = ", ".join(f"{name} = {value:.10g}" for name, value in values.items())
    return Observed(
        variable=variable,
        coordinates=coordinates,
        values=clean + noise * size * normal,
        held_out=np.zeros(clean.shape, bool),
        sigma=spread if sigma is None else quantity(sigma, unit, "observations.sigma"),
        source=f"Synthetic: the closed form of {kind} with {said}, and normal noise of "
        f"{100 * noise:g} % of its root mean square (seed {seed})",
        truth=values,
    )


def _places(equation: Equation, axis: str, given: int | Sequence[float | str]) -> np.ndarray:
    span, where = equation.domain[axis], f"observations.places.{axis}"
    if isinstance(given, int):
        if given < 1:
            raise PinnlabError(f"{where}: {given} places are none")
        return np.linspace(span.lower, span.upper, given + 2)[1:-1]
    found = np.array([quantity(v, span.units, where) for v in given])
    if not found.size or found.min() < span.lower or found.max() > span.upper:
        raise PinnlabError(
            f"{where}: give places from {span.lower:g} to {span.upper:g} {span.units}"
        )
    return np.unique(found)
