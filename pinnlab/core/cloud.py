"""Cloud: the nodes of a mesh, or scattered points, in place of the axes of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core import neighbours as near
from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.neighbours import Neighbours


@dataclass(frozen=True)
class Recipe:
    """Whom the nodes of a cloud hear.

    Arguments:
        neighbours: so many of the nearest nodes, besides itself; 6 to 16.
        radius: instead of these all nodes at most so far away, in the units of the domain. Means
            over them converge as a cloud is refined; two to three times the spacing.
        coarse: numbers of nodes of coarser levels, by which what happens in one place is heard
            in others; a quarter and a sixteenth of the nodes if None. The coarsest are all
            neighbours of each other, so that the last number should be at most about 100.
    """

    neighbours: int = 8
    radius: float | None = None
    coarse: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.coarse is not None:
            object.__setattr__(self, "coarse", tuple(map(int, self.coarse)))
        if self.neighbours < 1 or (self.radius is not None and not self.radius > 0):
            raise PinnlabError(
                f"cloud: neighbours must be at least 1 and radius positive, got {self.neighbours} "
                f"and {self.radius}"
            )


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Level:
    """A coarser set of nodes: whom they hear among themselves (*within*) and on the finer level
    (*down*), and whom the finer nodes hear of them (*up*)."""

    within: Neighbours
    down: Neighbours
    up: Neighbours


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Cloud:
    """N nodes with their neighbours, made by :func:`.makecloud.make_cloud`; read as a grid is.

    As it is, it may be a static argument under ``jax.jit``, known by its identity. It is a pytree
    as well: :func:`stack` puts the clouds of many members in one, whose arrays have them first.

    Arguments:
        domain: whose space axes are the coordinates (static).
        points: (N, d).
        weights: (N,), the measure that each node stands for; 0 for nodes that only fill up.
        within: whom each node hears.
        levels: from fine to coarse.
        recipe: how the neighbours were chosen (static).
    """

    domain: Domain = field(metadata={"static": True})
    points: Any
    weights: Any
    within: Neighbours
    levels: tuple[Level, ...]
    recipe: Recipe = field(metadata={"static": True})

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the coordinates."""
        return self.domain.space

    @property
    def shape(self) -> tuple[int, ...]:
        """(N,), of one cloud."""
        return (self.points.shape[-2],)

    @property
    def count(self) -> int:
        """How many clouds are stacked; 0 for a single one."""
        return self.points.shape[0] if self.points.ndim == 3 else 0

    @property
    def nodes(self) -> dict[str, Any]:
        """The (N,) coordinates of the nodes by axis."""
        return {name: self.points[..., i] for i, name in enumerate(self.axes)}

    @property
    def coordinates(self) -> dict[str, Any]:
        """The same: all belong to the one dimension of the nodes."""
        return self.nodes

    def one(self, number: Any) -> Cloud:
        """One of the stacked clouds; *number* may be traced."""
        return jax.tree.map(lambda a: jnp.asarray(a)[number], self)

    def like(self, other: Cloud) -> bool:
        """Whether *other* has the same nodes, as far as that is known."""
        if self is other or self.points is other.points:
            return True
        if self.points.shape != other.points.shape:
            return False
        traced = any(isinstance(c.points, jax.core.Tracer) for c in (self, other))
        return traced or bool(np.array_equal(self.points, other.points))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Scattered:
    """A coefficient that is known by its values at the nodes of a cloud; what an operator reads.

    Arguments:
        cloud: the nodes.
        values: (N,).
    """

    cloud: Cloud
    values: Any

    def at(self, x: Mapping[str, Any]) -> Any:
        """The value of the nearest node at coordinates *x*, of any shape they broadcast to."""
        places = jnp.stack(jnp.broadcast_arrays(*(jnp.asarray(x[a]) for a in self.cloud.axes)), -1)
        points, box = jnp.asarray(self.cloud.points, places.dtype), box_of(self.cloud.domain)
        way = places[..., None, :] - points.reshape((1,) * (places.ndim - 1) + points.shape)
        turn = jnp.asarray(np.where(box > 0, box, np.inf), places.dtype)
        turn = turn.reshape((1,) * (way.ndim - 1) + (-1,))
        way = jnp.minimum(jnp.abs(way), jnp.abs(turn - jnp.abs(way)))
        return jnp.asarray(self.values)[jnp.argmin(jnp.sum(way**2, axis=-1), axis=-1)]


def stack(clouds: Sequence[Cloud]) -> Cloud:
    """Clouds of one domain and with equally many nodes on each coarser level as one pytree, filled
    up to the same number of nodes.

    Raises:
        PinnlabError: clouds that differ in more than their points.
    """
    first = clouds[0]
    for c in clouds:
        if c.domain != first.domain or c.recipe != first.recipe:
            raise PinnlabError(
                "cloud: clouds of one stack need one domain and one recipe, with the numbers of "
                f"nodes of the coarser levels given (coarse); got {c.recipe} and {first.recipe}"
            )
    nodes = max(c.shape[0] for c in clouds)
    filled = [
        replace(
            c,
            points=np.concatenate([c.points, np.repeat(c.points[-1:], nodes - c.shape[0], axis=0)]),
            weights=np.pad(c.weights, (0, nodes - c.shape[0])),
        )
        for c in clouds
    ]
    tables = [_tables(c) for c in clouds]
    sizes = [np.max([t.index.shape for t in same], axis=0) for same in zip(*tables, strict=True)]
    made = []
    for c, own in zip(filled, tables, strict=True):
        wide = [near.widened(t, *size) for t, size in zip(own, sizes, strict=True)]
        levels = tuple(Level(*wide[i : i + 3]) for i in range(1, len(wide), 3))
        made.append(replace(c, within=wide[0], levels=levels))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *made)


def _tables(c: Cloud) -> list[Neighbours]:
    return [c.within, *(t for level in c.levels for t in (level.within, level.down, level.up))]


def box_of(domain: Domain) -> np.ndarray:
    """The lengths of periodic axes, 0 for the others."""
    axes = [domain[a] for a in domain.space]
    return np.asarray([axis.length if axis.periodic else 0.0 for axis in axes])
