"""What networks of points and functions are given of a grid: coordinates, or modes of solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.sampled import Sampled


def coordinates(grid: Grid, dtype: Any) -> Any:
    """(*n, d): in [-1, 1] along each axis, and for a periodic one its cosine and sine.

    Raises:
        PinnlabError: a grid without axes, on which there are no places.
    """
    made = []
    for name, nodes in grid.coordinates.items():
        unit = grid.domain[name].unit_interval(nodes)
        made += (
            [np.cos(np.pi * unit), np.sin(np.pi * unit)] if grid.domain[name].periodic else [unit]
        )
    if not made:
        raise PinnlabError(
            "network: a network of places needs a grid with at least one axis; give "
            f"operator.grid={{{grid.domain.time}: 65}}"
        )
    laid = [np.broadcast_to(one, grid.shape) for one in made]
    return jnp.asarray(np.stack(laid, axis=-1), dtype)


@dataclass(frozen=True, eq=False)
class Modes:
    r"""Mean and principal modes of each variable, orthogonal over the grid's quadrature.

    .. math:: u = \phi_0 + \sum_k c_k \phi_k, \quad E\,c_k = 0, \quad E\,c_j c_k = \delta_{jk}

    Each mode is as large as the solutions' share in it, so that coefficients are of order one.
    Sirovich, *Turbulence and the dynamics of coherent structures*, Quart. Appl. Math. 45, 1987.

    Arguments:
        grid: where they are known; on others they are interpolated as its schemes do.
        values: by variable, (1 + p, *grid): the mean and behind it the modes.
    """

    grid: Grid
    values: Mapping[str, Any]

    def on(self, names: Sequence[str], grid: Grid, dtype: Any) -> Any:
        """(variables, 1 + p, *n) on the nodes of *grid*.

        Raises:
            PinnlabError: a grid of other axes.
        """
        if grid.axes != self.grid.axes:
            raise PinnlabError(
                f"network.pod: the modes are of solutions over {', '.join(self.grid.axes)}, but "
                f"they are asked over {', '.join(grid.axes)}; give operator.data and operator.grid "
                "the same axes"
            )
        nodes = grid.nodes
        values = jnp.stack([jnp.asarray(self.values[name], dtype) for name in names])
        flat = values.reshape(-1, *self.grid.shape)
        laid = jax.vmap(lambda one: Sampled(self.grid, one).on(nodes))(flat)
        return laid.reshape(*values.shape[:2], *grid.shape)


def principal_modes(samples: Mapping[str, Any], grid: Grid, count: int) -> Modes:
    """The modes of (N, *grid) *samples* of each variable; in double precision on the host.

    Raises:
        PinnlabError: no samples, or fewer than there shall be modes.
    """
    if not samples:
        raise PinnlabError(
            "network.pod: the modes are those of solutions, of which there are none; give "
            "operator.data={}, or network.pod=0"
        )
    weights = np.broadcast_to(grid.weights, grid.shape).reshape(-1)
    root, found = np.sqrt(weights / weights.sum()), {}
    for name, values in samples.items():
        flat = np.asarray(values, float).reshape(len(values), -1)
        if count > min(flat.shape):
            raise PinnlabError(
                f"network.pod: {count} modes of {len(flat)} solutions on {flat.shape[1]} nodes; "
                f"at most {min(flat.shape)}"
            )
        mean = flat.mean(axis=0)
        _, size, modes = np.linalg.svd((flat - mean) * root, full_matrices=False)
        modes = modes[:count] / root * (size[:count, None] / np.sqrt(len(flat)))
        found[name] = np.concatenate([mean[None], modes]).reshape(-1, *grid.shape)
    return Modes(grid, found)
