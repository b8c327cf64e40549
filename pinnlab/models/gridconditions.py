"""Exact conditions of values on a grid, and means that an equation keeps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp

from pinnlab.core.closure import close
from pinnlab.core.conditions import Boundary, Initial
from pinnlab.core.grid import Grid
from pinnlab.core.parameters import evaluate
from pinnlab.equations.base import Equation
from pinnlab.equations.family import given, on_grid
from pinnlab.models.exact import exact_scalar


def exactly(raw: Mapping[str, Any], member: Equation, grid: Grid) -> dict[str, Any]:
    """*raw* with initial values and given sides by a distance that vanishes there, sides with
    a slope by the closure of the grid's derivatives, and the means that stay as they were."""
    laid, dtype = on_grid(member, grid.nodes), next(iter(raw.values())).dtype
    x = {a: jnp.asarray(c, dtype) for a, c in grid.coordinates.items()}
    end, time = end_of(member, grid), str(member.domain.time)
    if end is not None:
        x[time] = jnp.asarray(end, dtype)
    conditions = [c for c in laid.conditions() if end is None or not isinstance(c, Initial)]
    plain = [c for c in conditions if isinstance(c, Initial) or c.fixes_value]
    sloped = [c for c in conditions if isinstance(c, Boundary) and not c.fixes_value]
    made = {}
    for name, value in raw.items():
        lifted = exact_scalar(partial(_first, value), name, plain, member.domain)(x)
        made[name] = jnp.broadcast_to(lifted, grid.shape)
    made = close(grid, sloped, made, x.get(time)) if sloped else made
    return {**made, **_conserved(made, member, grid, laid, x)}


def _first(value: Any, _: Any) -> Any:
    """The values of a network as a function of the coordinates on whose nodes they are."""
    return value


def end_of(member: Equation, grid: Grid) -> float | None:
    """The time at which a grid without its axis stands."""
    time = member.domain.time
    return None if time is None or time in grid.axes else member.domain[time].upper


def _conserved(
    values: Mapping[str, Any], member: Equation, grid: Grid, laid: Equation, x: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables that the equation conserves, moved to the means that they had at first."""
    made = {}
    space = tuple(i for i, axis in enumerate(grid.axes) if axis != member.domain.time)
    volume = member.domain.metric.volume(grid.coordinates) * grid.weights
    dtype = next(iter(values.values())).dtype
    share = jnp.broadcast_to(jnp.asarray(volume, dtype), grid.shape)
    share = share / jnp.sum(share, axis=space, keepdims=True)

    def mean(array: Any) -> Any:
        return jnp.sum(array * share, axis=space, keepdims=True)

    for name in (n for n in member.conserved() if n in values):
        first = jnp.broadcast_to(evaluate(given(laid, name), x), grid.shape)
        made[name] = values[name] + mean(first) - mean(values[name])
    return made
