"""Multilayer perceptron, plain or with factorized weights."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.core.errors import choose

ACTIVATIONS = {
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "softplus": nn.softplus,
}


class FactorizedDense(nn.Module):
    r"""A dense layer with :math:`W = \mathrm{diag}(e^{s})\,V` by columns.

    The scales start at ``exp(Normal(1, 0.1))``; after Wang, Wang, Seidman & Perdikaris, *Random
    weight factorization improves the training of continuous neural representations*, 2022.
    """

    features: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        dtype = x.dtype

        def scales(key: Any, shape: tuple[int, ...]) -> Any:
            return 1.0 + 0.1 * jax.random.normal(key, shape, dtype)

        s = self.param("s", scales, (self.features,))
        start = nn.initializers.glorot_normal()

        def directions(key: Any, shape: tuple[int, ...]) -> Any:
            return start(key, shape, dtype) / jnp.exp(s)[None, :]

        v = self.param("v", directions, (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,), dtype)
        return x @ (v * jnp.exp(s)[None, :]) + bias


class MLP(nn.Module):
    r"""*depth* hidden layers of *width* units: :math:`z_{l+1} = \sigma(W_l z_l + b_l)`.

    Attributes:
        width, depth: size; 20 x 4 to 32 x 3 suit second-order optimizers on two cores.
        activation: one of tanh, sin, gelu, silu, softplus; smooth ones only, since equations
            differentiate them.
        slope: factor on the first layer's random weights, whose biases then spread over [-1, 1]
            too; 3 to 5 where the solution has layers, 1 where it is smooth.
        factorized: weights as scale times direction (:class:`FactorizedDense`).
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
        act = ACTIVATIONS[choose("activation (network.activation)", self.activation, ACTIVATIONS)]

        start = nn.initializers.glorot_normal()
        steep = nn.initializers.variance_scaling(self.slope**2, "fan_avg", "truncated_normal")

        def dense(features: int, first: bool = False) -> nn.Module:
            if self.factorized:
                return FactorizedDense(features)
            return nn.Dense(
                features,
                kernel_init=steep if first else start,
                bias_init=_spread if first and self.slope > 1.0 else nn.initializers.zeros,
                param_dtype=x.dtype,
            )

        for layer in range(self.depth):
            x = act(dense(self.width, first=layer == 0)(x))
        return dense(self.outputs)(x)


def _spread(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.random.uniform(key, shape, dtype, -1.0, 1.0)
