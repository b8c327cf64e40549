"""Members of a family with their classical solutions, made on the device without end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.grid import Grid
from pinnlab.equations.family import Family
from pinnlab.solvers.classical import Classical

Random = Any  # a function of a key, places and a type: pinnlab.sampling.RandomFunction

_AT_ONCE = 64  # solves that share the memory


@dataclass(frozen=True, eq=False)
class Pairs:
    """Random inputs, and solutions on a grid.

    Arguments:
        family: what differs, and where it is sampled.
        inputs: a random function or number for each of the family's names.
        solver: the classical solver; pure JAX for as many at once as memory takes.
        grid: where solutions are wanted: all of time where it is an axis of it, else its end.
        times: where time is no axis of the grid, other times than its end: solutions then have
            them in front of the grid's axes, as the domain does.
    """

    family: Family
    inputs: Mapping[str, Random]
    solver: Classical
    grid: Grid
    times: tuple[float, ...] = ()

    def sample(self, key: Any, n: int) -> dict[str, Any]:
        """(n, *family.grid) values of each function, (n,) of each number."""
        return self.at(jax.random.split(key, n))

    def at(self, keys: Any) -> dict[str, Any]:
        """The same for one key a member."""
        grid, dtype = self.family.grid, jnp.result_type(float)
        places = {a: (grid.domain[a], nodes) for a, nodes in grid.nodes.items()}

        def one(key: Any) -> dict[str, Any]:
            own = jax.random.split(key, len(self.family.names))
            return {
                name: self.inputs[name](k, places, dtype)
                for name, k in zip(self.family.names, own, strict=True)
            }

        return jax.vmap(one)(keys)

    def solve(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """(n, *grid) solutions by variable of (n, ...) inputs; (n, times, *grid) at *times*."""

        def one(values: Mapping[str, Any]) -> dict[str, Any]:
            return solved(self.solver, self.family.member(values), self.grid, self.times)

        return jax.lax.map(one, dict(values), batch_size=_AT_ONCE)


@dataclass(frozen=True)
class Coarse:
    """A cheap solver whose solutions an operator corrects (:class:`..models.OperatorModel`)."""

    solver: Classical

    def __call__(self, member: Any, grid: Grid) -> dict[str, Any]:
        return solved(self.solver, member, grid)


def solved(
    solver: Classical, member: Any, grid: Grid, times: tuple[float, ...] = ()
) -> dict[str, Any]:
    """A member's solution on the nodes of *grid*, at *times* as :class:`Pairs` has them."""
    axis, nodes = member.domain.time, dict(grid.nodes)
    if axis is not None and axis not in nodes:
        nodes[axis] = np.asarray(times or [member.domain[axis].upper])
    solution = solver.solve(member, [] if axis is None else nodes[axis].tolist())
    axes = member.domain.axes
    laid = dict(zip(axes, np.ix_(*(nodes[a] for a in axes)), strict=True))
    shape = (*(len(t) for t in [times] if t), *grid.shape)
    return {name: jnp.asarray(solution(name, **laid)).reshape(shape) for name in member.variables}


def timed(pairs: Pairs, inputs: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], float]:
    """(N, *grid) solutions of *inputs*, and the seconds without compiling."""
    given = jax.tree.map(jnp.asarray, dict(inputs))
    program = jax.jit(pairs.solve).lower(given).compile()
    begun = time.perf_counter()
    found = jax.block_until_ready(program(given))
    return jax.tree.map(np.asarray, found), time.perf_counter() - begun
