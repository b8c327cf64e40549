"""Multilayer perceptron, plain or with factorized weights."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from pinnlab.networks.layers import activation, dense


class MLP(nn.Module):
    r"""*depth* hidden layers of *width* units: :math:`z_{l+1} = \sigma(W_l z_l + b_l)`.

    Attributes:
        width, depth: size; 20 x 4 to 32 x 3 suit second-order optimizers on two cores.
        activation: one of tanh, sin, gelu, silu, softplus; smooth ones only, since equations
            differentiate them.
        slope: factor on the first layer's random weights, whose biases then spread over [-1, 1]
            too; 3 to 5 where the solution has layers, 1 where it is smooth.
        factorized: weights as scale times direction
            (:class:`~pinnlab.networks.layers.FactorizedDense`).
        outputs: number of outputs; the model sets it to the number of variables.

    Raises:
        PinnlabError: an activation that does not exist.
    """

    width: int = 20
    depth: int = 4
    activation: str = "tanh"
    slope: float = 1.0
    factorized: bool = False
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        act, dtype = activation(self.activation), x.dtype
        for layer in range(self.depth):
            slope = self.slope if layer == 0 else 1.0
            x = act(dense(self.width, dtype, self.factorized, slope)(x))
        return dense(self.outputs, dtype, self.factorized)(x)
