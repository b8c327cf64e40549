"""Transolver: attention between learned slices of the nodes instead of between nodes."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.networks.layers import activation


class Transolver(nn.Module):
    r"""A transformer whose attention goes from nodes to S slices, between them, and back:

    .. math:: z_s = \frac{\sum_i w_{is} f_i}{\sum_i w_{is}},\quad
        w_i = \mathrm{softmax}\left(\frac{A g_i}{\tau}\right),\quad
        y_i = \sum_s w_{is}\,\mathrm{attention}(z)_s

    for each head, with f and g linear in the features of node i. The cost is linear in the nodes,
    whose order means nothing: (N, channels) may be irregular points, if coordinates are among the
    channels. To the nodes of a grid the cosines and sines of its periodic axes are added, for whose
    position nothing else stands. After Wu, Luo, Wang, Wang & Long, *Transolver: a fast transformer
    solver for PDEs on general geometries*, ICML 2024.

    Attributes:
        width: channels, a multiple of *heads*; 64 to 256.
        depth: blocks of attention and a layer for each node; 4 to 8.
        heads: parts of the channels that are sliced apart; 4 to 8.
        slices: S; 16 to 64.
        hidden: width of the hidden layer for each node; 0 for twice the channels.
        activation: as for :class:`~pinnlab.networks.MLP`.
        outputs, periodic: set by the model.

    Raises:
        PinnlabError: a width that is no multiple of the heads, or an activation that does not
            exist.
    """

    scattered: ClassVar[bool] = True  # nodes may be in any order, and lie anywhere

    width: int = 64
    depth: int = 4
    heads: int = 4
    slices: int = 32
    hidden: int = 0
    activation: str = "gelu"
    outputs: int = 1
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        act, dtype, shape = activation(self.activation), x.dtype, x.shape[:-1]
        if self.width % self.heads:
            raise PinnlabError(
                f"network.width must be a multiple of network.heads ({self.heads}), "
                f"got {self.width}"
            )
        hidden = self.hidden or 2 * self.width

        def normal(x: Any) -> Any:
            return nn.LayerNorm(param_dtype=dtype, force_float32_reductions=False)(x)

        def between(x: Any) -> Any:
            y = act(nn.Dense(hidden, param_dtype=dtype)(x))
            return nn.Dense(self.width, param_dtype=dtype)(y)

        x = jnp.concatenate([x, *_rounds(shape, self.periodic, dtype)], axis=-1)
        x = between(x.reshape(-1, x.shape[-1]))
        for _ in range(self.depth):
            x = x + SliceAttention(self.heads, self.slices)(normal(x))
            x = x + between(normal(x))
        x = nn.Dense(self.outputs, param_dtype=dtype)(normal(x))
        return x.reshape(*shape, self.outputs)


class SliceAttention(nn.Module):
    """(N, width) features of nodes to as many, each of which has seen all others by the slices.

    Attributes:
        heads, slices: as for :class:`Transolver`; all heads share their small matrices.
    """

    heads: int
    slices: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        (nodes, width), dtype = x.shape, x.dtype
        size = width // self.heads

        def split(x: Any) -> Any:
            return nn.Dense(width, param_dtype=dtype)(x).reshape(nodes, self.heads, size)

        values, places = split(x), split(x)
        into = self.param("slices", nn.initializers.orthogonal(), (size, self.slices), dtype)
        start = nn.initializers.constant(np.log(0.5))
        cooling = jnp.exp(-self.param("log_temperature", start, (self.heads, 1, 1), dtype))
        scores = jnp.einsum("nhd,ds->hns", places, into) * cooling
        weights = nn.softmax(scores, axis=-1)
        share = jnp.mean(weights, axis=1)[..., None] + 1e-8
        tokens = jnp.einsum("hns,nhd->hsd", weights, values) / (nodes * share)

        def small(x: Any) -> Any:
            return nn.Dense(size, use_bias=False, param_dtype=dtype)(x)

        query, key, value = small(tokens), small(tokens), small(tokens)
        attention = nn.softmax(jnp.einsum("hsd,htd->hst", query, key) / size**0.5, axis=-1)
        y = jnp.einsum("hns,hsd->nhd", weights, attention @ value)
        return nn.Dense(width, param_dtype=dtype)(y.reshape(nodes, width))


def _rounds(shape: tuple[int, ...], periodic: tuple[bool, ...], dtype: Any) -> list[Any]:
    """(*n, 2) cosines and sines once around each periodic axis."""
    found = []
    for axis, (n, closed) in enumerate(zip(shape, periodic, strict=False)):
        if closed:
            turn = 2.0 * np.pi * np.arange(n) / n
            waves = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
            waves = waves.reshape([*[n if d == axis else 1 for d in range(len(shape))], 2])
            found.append(jnp.asarray(np.broadcast_to(waves, (*shape, 2)), dtype))
    return found
