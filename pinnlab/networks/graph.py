"""Graph neural operator: messages between the nodes of a cloud, and of coarser levels of it."""

from __future__ import annotations

from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from pinnlab.core.cloud import Cloud
from pinnlab.core.neighbours import Neighbours
from pinnlab.networks.layers import activation


class GraphOperator(nn.Module):
    r"""*depth* cycles of kernel integrals over neighbourhoods, from fine to coarse and back:

    .. math:: (\mathcal K v)_i = W \sum_j \frac{w_j}{\sum_k w_k}\,
        \kappa(x_j - x_i) \odot \max\bigl(0, A v_i + B v_j + C (x_j - x_i) + b\bigr)

    with a small network :math:`\kappa` and the quadrature weights w of the senders j that node i
    hears. A cycle gathers the nodes' features on the coarser levels, lets each level hear itself,
    the coarsest as a whole, and hands the sum on to the finer; a layer for each node follows.
    Only ways between nodes enter, no places but those among the channels. Messages cost (nodes x
    neighbours x width); what depends on the mesh alone is computed once for all members that
    share it. After Li et al., *Neural operator: graph kernel network for partial differential
    equations*, 2020, and *Multipole graph neural operator for parametric partial differential
    equations*, NeurIPS 2020.

    Attributes:
        width: channels; 32 to 64.
        depth: cycles; 2 to 4.
        hidden: width of the hidden layer for each node; 0 for twice the channels.
        kernel: width of the hidden layer of the kernels.
        directions: whether messages know the direction to the sender. Without, and with no
            coordinates among the channels, the operator commutes with rotations and reflections.
        activation: for each node and in the kernels, as for :class:`~pinnlab.networks.MLP`.
        outputs: set by the model.

    Raises:
        PinnlabError: an activation that does not exist.
    """

    meshed: ClassVar[bool] = True  # is given the cloud after the channels

    width: int = 48
    depth: int = 3
    hidden: int = 0
    kernel: int = 16
    directions: bool = True
    activation: str = "gelu"
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any, cloud: Cloud) -> Any:
        act, dtype, hidden = activation(self.activation), x.dtype, self.hidden or 2 * self.width

        def normal(x: Any) -> Any:
            return nn.LayerNorm(param_dtype=dtype, force_float32_reductions=False)(x)

        def dense(features: int, x: Any) -> Any:
            return nn.Dense(features, param_dtype=dtype)(x)

        x = dense(self.width, act(dense(hidden, x)))
        for _ in range(self.depth):
            x = x + self._cycle(normal(x), cloud)
            x = x + dense(self.width, act(dense(hidden, normal(x))))
        return dense(self.outputs, act(dense(hidden, normal(x))))

    def _cycle(self, x: Any, cloud: Cloud) -> Any:
        """(N, width) to as many: down to the coarsest level and up again."""

        def heard(senders: Any, table: Neighbours, receivers: Any = None) -> Any:
            made = Messages(self.width, self.kernel, self.directions, self.activation)
            return made(senders, table, receivers)

        states = [x]
        for level in cloud.levels:
            states.append(heard(states[-1], level.down))
        tables = [cloud.within, *(level.within for level in cloud.levels)]
        above: Any = None
        for i in reversed(range(len(tables))):
            own = states[i] if above is None else states[i] + above
            own = own + heard(own, tables[i], own)
            above = own if i == 0 else heard(own, cloud.levels[i - 1].up, states[i - 1])
        return above


class Messages(nn.Module):
    """(m, C) features of senders to (n, width) of the receivers that hear them in the mean.

    Attributes:
        width, kernel, directions, activation: as for :class:`GraphOperator`.
    """

    width: int
    kernel: int = 16
    directions: bool = True
    activation: str = "gelu"

    @nn.compact
    def __call__(self, senders: Any, table: Neighbours, receivers: Any = None) -> Any:
        act, dtype, k = activation(self.activation), senders.dtype, table.index.shape[1]
        way = jnp.asarray(table.offset, dtype).reshape(-1, table.offset.shape[-1])
        square = jnp.sum(way**2, axis=-1, keepdims=True)
        # smooth in the offset, also where a node hears itself
        told = [jnp.sqrt(square + 1e-4), *([way] if self.directions else [])]
        edges = jnp.concatenate(told, axis=-1)

        def dense(x: Any, features: int = self.width, **more: Any) -> Any:
            return nn.Dense(features, param_dtype=dtype, **more)(x)

        inner = act(dense(edges, self.kernel))
        kernel = dense(inner, bias_init=nn.initializers.ones)
        y = dense(senders, use_bias=False)[table.index.reshape(-1)] + dense(edges)
        if receivers is not None:
            own = dense(receivers, use_bias=False)
            y = y + jnp.repeat(own, k, axis=0, total_repeat_length=k * len(own))
        # rectified: smooth activations over all edges take longer (experiments/mesh/gather.py)
        return dense(table.mean(kernel * nn.relu(y)))
