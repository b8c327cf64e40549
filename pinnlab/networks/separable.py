"""Separable network: sums of products of networks of one axis each."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError
from pinnlab.networks.mlp import MLP


class Separable(nn.Module):
    r"""A network for each axis, and the sum of *rank* products of their outputs:

    .. math:: u(x_1,\dots,x_d) = \sum_{r=1}^{R}\prod_{i=1}^{d} f_i^r(x_i)

    On the tensor product of :math:`N_i` points of each axis the networks are run on
    :math:`\sum N_i` inputs in place of :math:`\prod N_i`, which is what a model does with it in
    training (:class:`pinnlab.core.tensorfield.TensorField`). Reference: Cho et al., *Separable
    physics-informed neural networks*, arXiv:2306.15969, 2023.

    Attributes:
        rank: products in the sum; 8 to 64. Smooth solutions on boxes need few.
        width, depth, activation, slope: of each axis's :class:`MLP`; 32 x 3 to 64 x 4.
        blocks: how many inputs belong to each axis, in order; the model sets it. By default each
            input is an axis.
        outputs: number of outputs; the model sets it to the number of variables.

    Raises:
        PinnlabError: a rank that is not positive, or blocks that do not add up to the inputs.
    """

    rank: int = 32
    width: int = 32
    depth: int = 3
    activation: str = "tanh"
    slope: float = 1.0
    blocks: tuple[int, ...] = ()
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        if self.rank < 1:
            raise PinnlabError(f"network.rank must be at least 1, got {self.rank}")
        blocks = self.blocks or (1,) * x.shape[-1]
        if sum(blocks) != x.shape[-1]:
            raise PinnlabError(f"network.blocks: {blocks} do not add up to {x.shape[-1]} inputs")
        product, start = jnp.ones((self.outputs, self.rank), x.dtype), 0
        for i, size in enumerate(blocks):
            table = self._network(name=_name(i))(x[start : start + size])
            product, start = product * table.reshape(self.outputs, self.rank), start + size
        return jnp.sum(product, axis=-1)

    def along(self, params: Any, i: int, inputs: Any) -> Any:
        """The (outputs, rank) factors of axis *i* at its own inputs."""
        network = self._network(parent=None)
        own = {"params": params["params"][_name(i)]}
        made: Any = network.apply(own, inputs)
        return made.reshape(self.outputs, self.rank)

    def _network(self, **more: Any) -> MLP:
        """The network of one axis."""
        return MLP(
            self.width,
            self.depth,
            self.activation,
            self.slope,
            outputs=self.outputs * self.rank,
            **more,
        )


def _name(i: int) -> str:
    return f"axis_{i}"
