"""Symmetries of an equation on a grid: mirror images and exchanges of axes that map solutions to
solutions, found by trying them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.grid import Grid
from pinnlab.core.gridfield import GridField
from pinnlab.equations.family import Family
from pinnlab.models.gridconditions import exactly

_TOLERANCE = 1e-6  # of right-hand sides, relative, in double precision


@dataclass(frozen=True)
class Symmetry:
    """Axes in another order, then some of them mirrored.

    Arguments:
        order: of the axes of space: the i-th one of the answer was order[i].
        mirrored: axes that are turned round.
    """

    order: tuple[str, ...]
    mirrored: tuple[str, ...] = ()

    def on(self, values: Any, grid: Grid) -> Any:
        """(*n) values on *grid*, moved; numbers stay."""
        if values.ndim == 0:
            return values
        axes = grid.axes
        own = [a for a in self.order if a in axes]
        moved = iter(own)
        made = values.transpose([axes.index(next(moved) if a in own else a) for a in axes])
        for axis in self.mirrored:
            if axis in axes:
                dim = axes.index(axis)
                made = jnp.flip(made, dim)
                # the nodes of a periodic axis begin at its lower end and do not reach the upper
                made = jnp.roll(made, 1, dim) if grid.domain[axis].periodic else made
        return made


def symmetries(family: Family, grid: Grid) -> tuple[Symmetry, ...]:
    """Those that hold for every member of *family* on *grid*, the identity first.

    Each is tried on random functions: the right-hand sides and the exact conditions must be those
    of the moved functions. What is found so is a symmetry of the discrete equation.
    """
    space = family.equation.domain.space
    found = [Symmetry(space)]
    for order in itertools.permutations(space):
        for count in range(len(space) + 1):
            for mirrored in itertools.combinations(space, count):
                tried = Symmetry(order, mirrored)
                if tried != found[0] and _fits(tried, family, grid) and _holds(tried, family, grid):
                    found.append(tried)
    return tuple(found)


def _fits(tried: Symmetry, family: Family, grid: Grid) -> bool:
    """Whether axes that change places are alike."""
    domain = family.equation.domain

    def shape(axis: str, own: Grid) -> tuple:
        span = domain[axis]
        return (span.lower, span.upper, span.units, span.periodic, *own[axis][1:])

    return all(
        shape(axis, own) == shape(other, own)
        for axis, other in zip(domain.space, tried.order, strict=True)
        for own in (grid, family.grid)
    )


def _holds(tried: Symmetry, family: Family, grid: Grid) -> bool:
    with jax.enable_x64(True):
        random = np.random.default_rng(0)
        names = family.equation.variables.names
        raw = {n: jnp.asarray(random.normal(size=grid.shape)) for n in names}
        inputs = {n: jnp.asarray(random.uniform(1.0, 2.0, family.grid.shape)) for n in family.names}
        here = _sides(family, grid, inputs, raw)
        moved = _sides(
            family,
            grid,
            {n: tried.on(v, family.grid) for n, v in inputs.items()},
            {n: tried.on(v, grid) for n, v in raw.items()},
        )
        pairs = [(tried.on(v, grid), moved[n]) for n, v in here.items()]
        return all(
            bool(jnp.max(jnp.abs(a - b)) <= _TOLERANCE * jnp.max(jnp.abs(a))) for a, b in pairs
        )


def _sides(
    family: Family, grid: Grid, inputs: Mapping[str, Any], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """Values with exact conditions, and right-hand sides, on the grid."""
    member = family.member(inputs)
    values = exactly(raw, member, grid)
    domain = member.domain
    time = None if domain.time in (None, *grid.axes) else domain[str(domain.time)].upper
    sides = member.rhs(GridField(grid, raw, time))
    whole = {f"side {n}": jnp.broadcast_to(side, grid.shape) for n, side in sides.items()}
    return {**values, **whole}
