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
        return self._flipped(values.transpose(self._dims(grid)), grid) if values.ndim else values

    def back(self, values: Any, grid: Grid) -> Any:
        """(*n) values on *grid* as they were before they were moved."""
        dims = np.argsort(self._dims(grid))
        return self._flipped(values, grid).transpose(dims) if values.ndim else values

    def fits(self, grid: Grid) -> bool:
        """Whether the axes of *grid* that change places are alike."""

        def shape(axis: str) -> tuple:
            span = grid.domain[axis]
            return (span.lower, span.upper, span.units, span.periodic, *grid[axis][1:])

        pairs = zip(grid.domain.space, self.order, strict=True)
        return all(shape(a) == shape(b) for a, b in pairs if a != b)

    def _dims(self, grid: Grid) -> list[int]:
        """The dimension of values that goes to each place."""
        own = iter(a for a in self.order if a in grid.axes)
        return [grid.axes.index(next(own) if a in self.order else a) for a in grid.axes]

    def _flipped(self, values: Any, grid: Grid) -> Any:
        for axis in self.mirrored:
            if axis in grid.axes:
                dim = grid.axes.index(axis)
                values = jnp.flip(values, dim)
                # the nodes of a periodic axis begin at its lower end and do not reach the upper
                values = jnp.roll(values, 1, dim) if grid.domain[axis].periodic else values
        return values


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
                alike = tried.fits(grid) and tried.fits(family.grid)
                if tried != found[0] and alike and _holds(tried, family, grid):
                    found.append(tried)
    return tuple(found)


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
