"""Where given values meet: the start of time and walls, or walls of two axes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.compiling import program
from pinnlab.core.conditions import Boundary, Condition
from pinnlab.core.domain import Domain
from pinnlab.core.parameters import evaluate
from pinnlab.core.precision import precision
from pinnlab.core.variables import Variables

_NODES = 9  # along each axis on which the values may vary
_ROUNDING = 1e-5  # of the values or the variable's scale, that single precision may leave

Face = tuple[str, str, Any]  # axis, side, and what is given there: a function of one point


def disagreements(
    conditions: Iterable[Condition], domain: Domain, variables: Variables
) -> list[str]:
    """For each pair of conditions that give one variable two values where they meet, a sentence
    with the variable, the place and the size.

    The values are compared at nine places along each other axis.
    """
    made, given = [], list(conditions)
    with precision("float64"):
        for name in variables:
            for one, two in combinations(_faces(given, domain, name), 2):
                if one[0] != two[0]:
                    made += _meeting(one, two, domain, name, variables)
    return made


def _faces(conditions: Iterable[Condition], domain: Domain, name: str) -> list[Face]:
    """The sides of the domain where the values of a variable are given."""
    found: list[Face] = []
    for c in conditions:
        if name not in c.values:
            continue
        value = c.values[name]
        if isinstance(c, Boundary):
            if c.fixes_value:
                found += [
                    (c.axis, side, lambda x, c=c, v=value: evaluate(v, x) / evaluate(c.a, x))
                    for side in c.sides
                ]
        elif c.order == 0:
            found.append((str(domain.time), "lower", lambda x, v=value: evaluate(v, x)))
    return found


def _meeting(one: Face, two: Face, domain: Domain, name: str, variables: Variables) -> list[str]:
    """What to say where two faces meet, if their values differ there."""
    fixed = {axis: getattr(domain[axis], side) for axis, side, _ in (one, two)}
    nodes = [
        np.array([fixed[a]]) if a in fixed else np.linspace(axis.lower, axis.upper, _NODES)
        for a, axis in domain.items
    ]
    grids = np.meshgrid(*nodes, indexing="ij")
    points = {a: np.asarray(g.ravel(), float) for a, g in zip(domain.axes, grids, strict=True)}

    @jax.vmap
    def both(x: Any) -> list[Any]:
        return [jnp.asarray(value(x), float) for _, _, value in (one, two)]

    first, second = (np.asarray(v) for v in program(both, points, often=False)(points))
    k, unit = int(np.argmax(np.abs(first - second))), _behind(variables[name].units)
    rounding = _ROUNDING * max(abs(first[k]), abs(second[k]), variables[name].scale)
    if not abs(first[k] - second[k]) > rounding:
        return []
    place = ", ".join(
        f"{a} = {float(points[a][k]):.4g}{_behind(domain[a].units)}" for a in domain.axes
    )
    sides = " and ".join(
        f"{value:.4g}{unit} ({_called(face, domain)})"
        for face, value in ((one, first[k]), (two, second[k]))
    )
    return [
        f"conditions: '{name}' is given two values at {place}: {sides}. Conditions that a network "
        "has exactly are off by as much along such a wall, at the start and later: make the "
        "values agree, or give model.exact=false"
    ]


def _behind(unit: str) -> str:
    return "" if unit == "1" else f" {unit}"


def _called(face: Face, domain: Domain) -> str:
    return "initial" if face[0] == domain.time else f"{face[0]} {face[1]}"
