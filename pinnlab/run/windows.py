"""Training columns of operators that step in time: windows of trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from pinnlab.run.members import Arrays
from pinnlab.run.online import once
from pinnlab.terms.base import Batch
from pinnlab.terms.instances import INPUT, SOLUTION

if TYPE_CHECKING:
    from pinnlab.run.rollouts import Trajectories


@dataclass(frozen=True, eq=False)
class Windows:
    """Columns of some steps out of trajectories: new ones, or for training steps out of the first
    ``members.data.count``."""

    members: Trajectories

    def __call__(self, key: Any, n: int, step: bool) -> Batch:
        members, keys = self.members, jax.random.split(key)
        each = members.length - members.unroll + 1  # windows of a trajectory
        if step and members.data.count:
            dtype = jnp.result_type(float)
            made = {name: jnp.asarray(c, dtype) for name, c in self._first[0].items()}
        else:
            made = self._trajectories(jax.random.split(keys[0], -(-n // each)))
        count = next(iter(made.values())).shape[0]
        turns = -(-n // (count * each))
        orders = [jax.random.permutation(k, count * each) for k in jax.random.split(keys[1], turns)]
        which, at = jnp.divmod(jnp.concatenate(orders)[:n], each)
        return self._cut(made, which, at)

    def _cut(self, made: Batch, which: Any, at: Any) -> Batch:
        """The windows of trajectories *which* that begin *at* these steps."""
        later = at[:, None] + jnp.arange(1, self.members.unroll + 1)
        columns = {}
        for name, values in made.items():
            if name not in self.members.family.initial:
                columns[INPUT + name] = values[which]
                continue
            columns[INPUT + name] = values[which, at]
            if name in self.members.outputs:
                columns[SOLUTION + name] = values[which[:, None], later]
        return columns

    def _trajectories(self, keys: Any) -> dict[str, Any]:
        """(N, length + 1, *grid) states, and the other inputs as they are."""
        members = self.members
        inputs = members.begun(keys)
        found = members.over(members.length).solve(inputs)
        return {**inputs, **{name: found[name] for name in members.family.initial}}

    def prepare(self) -> None:
        """Make the first trajectories, outside of any trace."""
        if self.members.data.count:
            self._first  # noqa: B018

    @property
    def seconds(self) -> float:
        """What making the first trajectories took, which are made before the training."""
        return self._first[1] if self.members.data.count else 0.0

    @cached_property
    def _first(self) -> tuple[Arrays, float]:
        return once(self._trajectories, self.members.data.count)
