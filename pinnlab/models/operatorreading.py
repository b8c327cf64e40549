"""A trained operator asked for the solutions of members of its family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.precision import precision
from pinnlab.equations.family import Family
from pinnlab.models.operator import OperatorModel

_NODES = 1 << 20  # over all members that are evaluated at once, so that memory stays bounded


@dataclass(frozen=True, eq=False)
class OperatorReading:
    """Family, model and parameters (with a leading axis of seeds if *seeds* > 1)."""

    family: Family
    model: OperatorModel
    params: Any
    seeds: int = 1

    def __call__(
        self, inputs: Mapping[str, Any], grid: Grid | None = None
    ) -> dict[str, np.ndarray]:
        """The mean over seeds: (N, *grid) of each variable, for *inputs* as :meth:`members`."""
        return {name: made.mean(axis=0) for name, made in self.members(inputs, grid).items()}

    def members(self, inputs: Mapping[str, Any], grid: Grid | None = None) -> dict[str, np.ndarray]:
        """(seeds, N, *grid) of each variable.

        Arguments:
            inputs: by name, (N, *n) values of a function on *grid*'s own axes or on the nodes of
                the family's grid, or (N,) numbers.
            grid: where the solution is wanted; the model's own if None.
        """
        grid = self.model.grid if grid is None else grid
        family = self.on(inputs)
        size = max(1, _NODES // max(1, int(np.prod(grid.shape))))
        count, found = len(next(iter(inputs.values()))), []
        with precision(self.dtype):
            for i in range(0, count, size):
                part = {k: jnp.asarray(v[i : i + size], self.dtype) for k, v in inputs.items()}
                found.append(jax.tree.map(np.asarray, predicted(self, family, grid, part)))
        return {name: np.concatenate([f[name] for f in found], axis=1) for name in found[0]}

    def on(self, inputs: Mapping[str, Any]) -> Family:
        """The family with the grid on which the functions among *inputs* are given."""
        shapes = [np.shape(v)[1:] for v in inputs.values() if np.ndim(v) > 1]
        return _sampled(self.family, shapes[0]) if shapes else self.family

    @property
    def dtype(self) -> str:
        """The precision of the parameters."""
        return str(jax.tree.leaves(self.params)[0].dtype)


@lru_cache(maxsize=64)
def _sampled(family: Family, shape: tuple[int, ...]) -> Family:
    """One family for a shape, so that nothing is compiled twice."""
    if shape == family.grid.shape:
        return family
    items = [(*item[:2], n) for item, n in zip(family.grid.items, shape, strict=True)]
    return replace(family, grid=Grid.from_fields(family.grid.domain, items))


@partial(jax.jit, static_argnames=("family", "model", "grid", "seeds"))
def _predicted(
    params: Any, inputs: Any, family: Family, model: OperatorModel, grid: Grid, seeds: int
) -> dict[str, Any]:
    def of_seed(params: Any) -> dict[str, Any]:
        return jax.vmap(lambda one: model.apply(params, family.member(one), grid))(inputs)

    return (
        jax.vmap(of_seed)(params) if seeds > 1 else jax.tree.map(lambda a: a[None], of_seed(params))
    )


def predicted(reading: OperatorReading, family: Family, grid: Grid, inputs: Any) -> dict[str, Any]:
    """(seeds, N, *grid) arrays on the device, compiled once for a grid and a number of members."""
    network = reading.params["network"]
    return _predicted(network, inputs, family, reading.model, grid, reading.seeds)


def rolled(
    reading: OperatorReading, inputs: Mapping[str, Any], steps: int, grid: Grid | None = None
) -> dict[str, np.ndarray]:
    """(seeds, N, steps + 1, *grid) of each variable that the model steps on, the start included.

    Arguments:
        inputs: as :meth:`OperatorReading.members`, on *grid* where they are functions.

    Raises:
        PinnlabError: an operator that does not give all of what it takes, or at one time only.
    """
    grid = reading.model.grid if grid is None else grid
    check_stepping(reading.family, reading.model)
    family, found = reading.on(inputs), []
    size = max(1, _NODES // max(1, steps * int(np.prod(grid.shape))))
    count = len(next(iter(inputs.values())))
    with precision(reading.dtype):
        for i in range(0, count, size):
            part = {k: jnp.asarray(v[i : i + size], reading.dtype) for k, v in inputs.items()}
            network = reading.params["network"]
            made = _rolled(network, part, family, reading.model, grid, reading.seeds, steps)
            found.append(jax.tree.map(np.asarray, made))
    return {name: np.concatenate([f[name] for f in found], axis=1) for name in found[0]}


def check_stepping(family: Family, model: OperatorModel) -> None:
    """Raise :class:`PinnlabError` where what an operator gives is not what it takes."""
    given = model.outputs or family.equation.variables.names
    missing = [n for n in given if n not in family.initial]
    if missing or family.equation.domain.time in model.grid.axes:
        why = f"it gives {missing[0]}, which it does not take" if missing else "it gives all times"
        raise PinnlabError(
            f"this operator cannot be applied step by step: {why}; train it with "
            "operator.rollout, and operator.initial for each variable that evolves"
        )


@partial(jax.jit, static_argnames=("family", "model", "grid", "seeds", "steps"))
def _rolled(
    params: Any,
    inputs: Any,
    family: Family,
    model: OperatorModel,
    grid: Grid,
    seeds: int,
    steps: int,
) -> dict[str, Any]:
    names = model.outputs or family.equation.variables.names

    def of_member(params: Any, inputs: Any) -> dict[str, Any]:
        def step(state: Any, _: None) -> Any:
            found = model.apply(params, family.member({**inputs, **state}), grid)
            return found, found

        first = {name: inputs[name] for name in names}
        _, later = jax.lax.scan(step, first, length=steps)
        return {n: jnp.concatenate([first[n][None], later[n]]) for n in names}

    def of_seed(params: Any) -> dict[str, Any]:
        return jax.vmap(of_member, in_axes=(None, 0))(params, inputs)

    return (
        jax.vmap(of_seed)(params) if seeds > 1 else jax.tree.map(lambda a: a[None], of_seed(params))
    )
