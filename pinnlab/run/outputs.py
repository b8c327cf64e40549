"""The dataset of a run: what was computed, what it is compared with, and what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.parameters import Profile
from pinnlab.core.variables import Variable
from pinnlab.equations.base import Equation
from pinnlab.io import Coordinate, Quantity, build_dataset, midpoint_bounds
from pinnlab.io.ugrid import MeshNodes
from pinnlab.run import instances
from pinnlab.run.observed import Observed

_GEOGRAPHIC = {"latitude": "Y", "longitude": "X"}


@dataclass
class Result:
    """Everything that goes into a dataset; arrays are on the tensor of ``coordinates``.

    Where there are ``inputs``, all arrays have the members of a family first, and the ``nodes`` of
    their meshes last, if they lie on some.
    """

    equation: Equation
    coordinates: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    reference: Mapping[str, np.ndarray] = field(default_factory=dict)
    residual: Mapping[str, np.ndarray] = field(default_factory=dict)
    spread: Mapping[str, np.ndarray] = field(default_factory=dict)
    learned: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)
    observed: Observed | None = None
    at_observations: np.ndarray | None = None
    estimated: Mapping[str, np.ndarray] = field(default_factory=dict)
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    nodes: MeshNodes | None = None


def output_coordinates(
    equation: Equation, counts: Mapping[str, Any], observed: Observed | None
) -> dict[str, np.ndarray]:
    """(n,) coordinates of each axis: *counts* even points, or ``observed`` ones.

    Raises:
        PinnlabError: an unknown axis, or a count below 2.
    """
    for name in counts:
        choose("axis (output)", str(name), equation.domain.axes)
    made = {}
    for name in equation.domain.axes:
        axis, count = equation.domain[name], counts.get(name, 101)
        if count == "observed":
            if observed is None:
                raise PinnlabError(f"output.{name}: there are no observations to take it from")
            made[name] = observed.coordinates[name]
            continue
        if not isinstance(count, int) or count < 2:
            raise PinnlabError(f"output.{name}: give a number of points >= 2, or 'observed'")
        made[name] = np.linspace(axis.lower, axis.upper, count, endpoint=not axis.periodic)
    return made


def readable(symbol: str, variable: Variable) -> str:
    """The name of a variable in files."""
    return variable.name or symbol


def dataset(result: Result, attributes: Mapping[str, Any]) -> xr.Dataset:
    """The dataset of a run (DESIGN: names, units, bounds and provenance by construction)."""
    domain, seen = result.equation.domain, result.observed
    epoch, site = (seen.epoch, seen.site) if seen else ("", None)
    names = {a: axis_name(a, domain, epoch) for a in result.coordinates}
    coordinates = [
        _coordinate(names[a], values, a, domain, epoch) for a, values in result.coordinates.items()
    ]
    dims = tuple(names.values())
    quantities: list[Quantity] = []
    if result.inputs:
        coordinates.append(instances.coordinate(result.inputs))
        quantities += instances.quantities(result.equation, result.inputs, dims)
        dims = (instances.DIM, *dims)
    for symbol in result.values:
        quantities += _variable(result, symbol, dims)
    for name, interval in result.learned.items():
        quantities += _parameter(result.equation, name, interval, names)
    if seen is not None:
        more, values = _observations(result, names)
        coordinates, quantities = coordinates + more, quantities + values
    made = build_dataset(coordinates, quantities, attributes, site)
    return made if result.nodes is None else result.nodes.onto(made, instances.DIM)


def axis_name(name: str, domain: Domain, epoch: str = "") -> str:
    """The name of an axis in files."""
    if name == domain.time and epoch:
        return "time"
    shown = domain[name].shown if name in domain.axes else None
    return shown.name if shown else name


def _coordinate(
    name: str, values: np.ndarray, symbol: str, domain: Domain, epoch: str
) -> Coordinate:
    if symbol not in domain.axes:
        return Coordinate(name, values, "1", name)
    axis = domain[symbol]
    bounds = midpoint_bounds(values, axis.lower, axis.upper) if values.size > 1 else None
    if symbol == domain.time and epoch:
        return Coordinate(name, values, "s", "time", "time", "T", bounds=bounds, epoch=epoch)
    long_name = axis.long_name or name
    if axis.shown:
        shown, long_name = axis.shown, axis.shown.standard_name.replace("_", " ")
        values, bounds = np.asarray(shown.convert(values)), np.asarray(shown.convert(bounds))
        letter = _GEOGRAPHIC.get(shown.standard_name, "")
        return Coordinate(
            name, values, shown.units, long_name, shown.standard_name, letter, bounds=bounds
        )
    letter = "Z" if axis.positive else _GEOGRAPHIC.get(axis.standard_name, "")
    return Coordinate(
        name, values, axis.units, long_name, axis.standard_name, letter, axis.positive, bounds
    )


def _variable(result: Result, symbol: str, dims: tuple[str, ...]) -> list[Quantity]:
    variable = result.equation.variables[symbol]
    name, long_name, values = readable(symbol, variable), variable.long_name, result.values[symbol]
    ancillary = [
        f"{name}_{kind}"
        for kind, there in (
            ("residual", result.residual),
            ("spread", result.spread),
            ("estimated_error", result.estimated),
        )
        if symbol in there
    ]
    difference = "difference" if variable.temperature else ""
    made = [
        Quantity(
            name,
            dims,
            values,
            variable.units,
            long_name,
            variable.standard_name,
            tuple(ancillary),
            temperature=variable.temperature,
        )
    ]
    if symbol in result.reference:
        truth = result.reference[symbol]
        made.append(
            Quantity(
                f"{name}_reference",
                dims,
                truth,
                variable.units,
                f"reference {long_name}",
                variable.standard_name,
                temperature=variable.temperature,
                coverage="referenceInformation",
            )
        )
        made.append(
            Quantity(
                f"{name}_error",
                dims,
                values - truth,
                variable.units,
                f"error of {long_name}",
                temperature=difference,
                coverage="qualityInformation",
            )
        )
        if result.inputs:
            made.append(instances.errors(name, long_name, values, truth, result.nodes))
    if symbol in result.estimated:
        made.append(
            Quantity(
                f"{name}_estimated_error",
                dims,
                result.estimated[symbol],
                variable.units,
                f"error of {long_name}, estimated from the residual without a reference",
                temperature=difference,
                coverage="qualityInformation",
            )
        )
    if symbol in result.residual:
        made.append(
            Quantity(
                f"{name}_residual",
                dims,
                result.residual[symbol],
                "1",
                f"residual of the equation of {long_name} over its natural scale",
                coverage="qualityInformation",
            )
        )
    if symbol in result.spread:
        made.append(
            Quantity(
                f"{name}_spread",
                dims,
                result.spread[symbol],
                variable.units,
                f"standard deviation over seeds of {long_name}",
                temperature=difference,
                coverage="qualityInformation",
            )
        )
    return made


def _parameter(
    equation: Equation, name: str, interval: tuple, names: Mapping[str, str]
) -> list[Quantity]:
    """A learned parameter with the ends of its 95 % interval."""
    known, value = equation.parameters()[name], getattr(equation, name)
    dims = (names[value.axis],) if isinstance(value, Profile) else ()
    long_name = known.long_name or name
    words = {
        "": long_name,
        "_lower": f"lower end of {long_name}",
        "_upper": f"upper end of {long_name}",
    }
    ends = (f"{name}_lower", f"{name}_upper")
    return [
        Quantity(
            name + suffix,
            dims,
            np.asarray(numbers),
            known.units,
            words[suffix] + (" (95 % interval)" if suffix else ""),
            known.standard_name if not suffix else "",
            () if suffix else ends,
            coverage="qualityInformation" if suffix else "modelResult",
        )
        for suffix, numbers in zip(words, interval, strict=True)
    ]


def _observations(
    result: Result, names: Mapping[str, str]
) -> tuple[list[Coordinate], list[Quantity]]:
    """What was observed, whether it was held out, and the prediction there."""
    seen, domain = result.observed, result.equation.domain
    assert seen is not None
    more, dims = [], []
    for axis, values in seen.coordinates.items():
        same = np.array_equal(values, result.coordinates[axis])
        dims.append(names[axis] if same else f"{names[axis]}_observed")
        if not same:
            made = _coordinate(dims[-1], values, axis, domain, "")
            more.append(replace(made, long_name=f"{made.long_name} of the sensors", bounds=None))
    variable = result.equation.variables[seen.variable]
    name, units = readable(seen.variable, variable), variable.units
    quantities = [
        Quantity(
            f"{name}_observed",
            tuple(dims),
            seen.values,
            units,
            f"{'synthetic' if seen.truth else 'observed'} {variable.long_name}",
            variable.standard_name,
            (f"{name}_held_out",),
            temperature=variable.temperature,
            coverage="modelResult" if seen.truth else "physicalMeasurement",
            comment=seen.source,
        ),
        Quantity(
            f"{name}_held_out",
            tuple(dims),
            seen.held_out.astype(np.int8),
            "",
            "whether the observation was held out",
            flags={"used": 0, "held_out": 1},
            coverage="auxiliaryInformation",
        ),
    ]
    if result.at_observations is not None:
        quantities.append(
            Quantity(
                f"{name}_at_observations",
                tuple(dims),
                result.at_observations,
                units,
                f"{variable.long_name} at the observations",
                variable.standard_name,
                temperature=variable.temperature,
            )
        )
    return more, quantities
