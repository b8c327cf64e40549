"""Neighbours: which nodes hear which others, found once with a tree of the points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import cKDTree


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Neighbours:
    r"""The k nodes that each of n receivers hears, and a quadrature over them.

    Arguments:
        index: (n, k) numbers of the senders; any where there are fewer than k.
        share: (n, k), the measure of the sender over that of all whom the receiver hears; 0 where
            there is none.
        offset: (n, k, d) ways from the receiver to the sender, over their root mean square in the
            whole table or the radius within which senders are heard.
    """

    index: Any
    share: Any
    offset: Any

    def mean(self, messages: Any) -> Any:
        r"""(n, C): the mean :math:`\sum_j w_j m_{ij} / \sum_j w_j` of (n k, C) messages.

        With quadrature weights w this is an integral over the neighbourhood over its measure.
        """
        n, k = self.index.shape
        parts = messages * jnp.asarray(self.share, messages.dtype).reshape(-1, 1)
        if jax.default_backend() != "cpu":
            return jnp.sum(parts.reshape(n, k, -1), axis=1)
        # XLA fuses the senders' gather into this sum, not into the other (experiments/mesh)
        receivers = jnp.repeat(jnp.arange(n), k, total_repeat_length=n * k)
        return jax.ops.segment_sum(parts, receivers, n, indices_are_sorted=True)


def nearest(receivers: np.ndarray, senders: np.ndarray, k: int, box: np.ndarray) -> np.ndarray:
    """(n, k) numbers of the nearest of *senders*, nearest first."""
    found = _tree(senders, box).query(_inside(receivers, box), list(range(1, k + 1)))[1]
    return np.asarray(found, np.int32)


def within(receivers: np.ndarray, senders: np.ndarray, radius: float, box: np.ndarray) -> Any:
    """For each receiver the numbers of the senders at most *radius* away."""
    return list(
        _tree(senders, box).query_ball_point(_inside(receivers, box), radius, return_sorted=True)
    )


def linked(nodes: int, edges: np.ndarray) -> list[list[int]]:
    """For each node itself and those to which (E, 2) *edges* lead, in either direction."""
    both = np.concatenate([edges, edges[:, ::-1], np.repeat(np.arange(nodes)[:, None], 2, axis=1)])
    both = np.unique(both, axis=0)
    ends = np.searchsorted(both[:, 0], np.arange(1, nodes))
    return [part.tolist() for part in np.split(both[:, 1], ends)]


def table(
    lists: Sequence[Any] | np.ndarray,
    receivers: np.ndarray,
    senders: np.ndarray,
    weights: np.ndarray,
    box: np.ndarray,
    unit: float | None = None,
) -> Neighbours:
    """The neighbours of *lists*, filled up to equal lengths; offsets over *unit* if it is given."""
    width = max(map(len, lists))
    index = np.zeros((len(lists), width), np.int32)
    known = np.zeros((len(lists), width))
    for i, own in enumerate(lists):
        index[i, : len(own)] = own
        known[i, : len(own)] = 1.0
    share = known * weights[index]
    total = share.sum(axis=1, keepdims=True)
    share = share / np.where(total == 0, 1.0, total)
    offset = between(receivers[:, None], senders[index], box) * known[..., None]
    if unit is None:
        unit = float(np.sqrt((offset**2).sum() / max(1.0, known.sum()))) or 1.0
    return Neighbours(index, share, offset / unit)


def widened(made: Neighbours, nodes: int, width: int) -> Neighbours:
    """The same with *nodes* receivers and *width* senders each, of which the new ones count
    nothing."""
    n, k = made.index.shape
    pads = [(0, nodes - n), (0, width - k)]
    return Neighbours(
        np.pad(made.index, pads), np.pad(made.share, pads), np.pad(made.offset, [*pads, (0, 0)])
    )


def between(start: np.ndarray, end: np.ndarray, box: np.ndarray) -> np.ndarray:
    """end - start, the shorter way round on axes of length *box* (0 for those that do not
    close)."""
    way = end - start
    turn = np.where(box > 0, box, 1.0)
    return way - np.where(box > 0, turn * np.round(way / turn), 0.0)


def farthest(points: np.ndarray, count: int, box: np.ndarray) -> np.ndarray:
    """*count* of the (n, d) points, each as far as can be from those before; the first is the
    farthest from the centre."""

    def away(point: np.ndarray) -> np.ndarray:
        return (between(point, points, box) ** 2).sum(axis=1)

    found = [int(np.argmax(away(points.mean(axis=0))))]
    distance = away(points[found[0]])
    for _ in range(count - 1):
        found.append(int(np.argmax(distance)))
        distance = np.minimum(distance, away(points[found[-1]]))
    return np.asarray(found)


def _tree(points: np.ndarray, box: np.ndarray) -> cKDTree:
    return cKDTree(_inside(points, box), boxsize=box if box.any() else None)


def _inside(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    return np.where(box > 0, np.mod(points, np.where(box > 0, box, 1.0)), points)
