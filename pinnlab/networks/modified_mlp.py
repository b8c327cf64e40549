"""Multilayer perceptron whose layers are gated by two encoders of the inputs."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from pinnlab.networks.layers import activation, dense


class ModifiedMLP(nn.Module):
    r"""Hidden layers that choose, unit by unit, between two encoders of the inputs:

    .. math:: z_{l+1} = g_l \odot U + (1 - g_l) \odot V,\quad g_l = \sigma(W_l z_l + b_l),\quad
        U = \sigma(W_U x + b_U),\quad V = \sigma(W_V x + b_V)

    The inputs enter every layer by multiplication, so that deep networks keep their gradients;
    after Wang, Teng & Perdikaris, *Understanding and mitigating gradient flow pathologies in
    physics-informed neural networks*, SIAM J. Sci. Comput. 43, 2021. Here the first layer, which
    reads the inputs, is gated too.

    Attributes:
        width, depth: of the gated layers; 20 x 2 to 32 x 3 for second-order optimizers, 128 x 4
            to 256 x 4 for first-order ones on an accelerator.
        activation: one of tanh, sin, gelu, silu, softplus.
        slope: factor on the random weights of the three layers that read the inputs, as in
            :class:`~pinnlab.networks.MLP`.
        factorized: weights as scale times direction
            (:class:`~pinnlab.networks.layers.FactorizedDense`).
        outputs: number of outputs; the model sets it to the number of variables.

    Raises:
        PinnlabError: an activation that does not exist.
    """

    width: int = 20
    depth: int = 3
    activation: str = "tanh"
    slope: float = 1.0
    factorized: bool = False
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        act, dtype = activation(self.activation), x.dtype

        def layer(z: Any, slope: float = 1.0) -> Any:
            return act(dense(self.width, dtype, self.factorized, slope)(z))

        u, v, z = layer(x, self.slope), layer(x, self.slope), x
        for k in range(self.depth):
            gate = layer(z, self.slope if k == 0 else 1.0)
            z = gate * u + (1.0 - gate) * v
        return dense(self.outputs, dtype, self.factorized)(z)
