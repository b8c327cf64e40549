"""What a dataset says of the members of a family: their number, inputs and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pinnlab.core.scores import relative_l2
from pinnlab.equations.base import Equation
from pinnlab.io import Coordinate, Quantity
from pinnlab.io.ugrid import MeshNodes

DIM = "instance"


@dataclass(frozen=True)
class Described:
    """How an input is called in files, and its units."""

    name: str
    units: str
    long_name: str
    standard_name: str


def described(equation: Equation, symbol: str) -> Described:
    """Of a variable's initial values, or of a parameter."""
    if symbol in equation.variables.names:
        v = equation.variables[symbol]
        name = f"initial_{v.name or symbol}"
        return Described(name, v.units, f"initial {v.long_name}", v.standard_name)
    known = equation.parameters()[symbol]
    return Described(symbol, known.units, known.long_name or symbol, known.standard_name)


def coordinate(inputs: Mapping[str, np.ndarray]) -> Coordinate:
    """The number of each member."""
    count = len(next(iter(inputs.values())))
    return Coordinate(DIM, np.arange(count), "1", "member of the family")


def quantities(
    equation: Equation, inputs: Mapping[str, np.ndarray], dims: tuple[str, ...]
) -> list[Quantity]:
    """What the members differ in: initial values and parameters.

    Arguments:
        inputs: (N,) numbers, or (N, ...) functions with a dimension for each of *dims*.
    """
    made = []
    for symbol, values in inputs.items():
        told = described(equation, symbol)
        kept = [i for i, size in enumerate(values.shape[1:]) if size > 1]
        own = values.reshape(len(values), *(values.shape[1 + i] for i in kept))
        where = (DIM, *(dims[i] for i in kept))
        made.append(
            Quantity(
                told.name,
                where,
                own,
                told.units,
                told.long_name,
                told.standard_name,
                coverage="auxiliaryInformation",
            )
        )
    return made


def errors(
    name: str,
    long_name: str,
    values: np.ndarray,
    truth: np.ndarray,
    nodes: MeshNodes | None = None,
) -> Quantity:
    """The relative L2 error of each member, by the quadrature of *nodes* if there are any."""
    return Quantity(
        f"{name}_relative_error",
        (DIM,),
        (nodes.relative_l2 if nodes else relative_l2)(values, truth),
        "1",
        f"relative L2 error of {long_name}",
        coverage="qualityInformation",
    )
