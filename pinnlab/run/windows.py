"""Training columns of operators that step in time: windows of trajectories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from pinnlab.run.online import Kept, in_turn
from pinnlab.terms.base import Batch
from pinnlab.terms.instances import INPUT, SOLUTION

if TYPE_CHECKING:
    from pinnlab.run.rollouts import Trajectories


@dataclass(frozen=True, eq=False)
class Windows(Kept):
    """Columns of some steps out of trajectories: new ones, or for training steps out of the first
    ``members.data.count``."""

    members: Trajectories

    @property
    def count(self) -> int:  # type: ignore[override]
        return self.members.data.count

    def __call__(self, key: Any, n: int, step: bool) -> Batch:
        members, keys = self.members, jax.random.split(key)
        each = members.length - members.unroll + 1  # windows of a trajectory
        if step and self.count:
            made = self.first()
        else:
            made = self.make(jax.random.split(keys[0], -(-n // each)))
        windows = next(iter(made.values())).shape[0] * each
        turns = jax.random.split(keys[1], -(-n // windows))
        which, at = jnp.divmod(in_turn(turns, windows, n), each)
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

    def make(self, keys: Any) -> Batch:
        """(N, length + 1, *grid) states, and the other inputs as they are."""
        members = self.members
        inputs = members.begun(keys)
        found = members.over(members.length).solve(inputs)
        return {**inputs, **{name: found[name] for name in members.family.initial}}
