"""What several networks are built of: activations and dense layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.core.errors import choose

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "softplus": nn.softplus,
}


def activation(name: str) -> Callable[[Any], Any]:
    """The activation called *name*.

    Raises:
        PinnlabError: there is none of that name.
    """
    return ACTIVATIONS[choose("activation (network.activation)", name, ACTIVATIONS)]


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


def dense(features: int, dtype: Any, factorized: bool = False, slope: float = 1.0) -> nn.Module:
    """A dense layer, or a factorized one; to be made inside of a network's ``__call__``.

    Arguments:
        features: number of outputs.
        dtype: of the parameters: that of the network's inputs.
        factorized: weights as scale times direction.
        slope: factor on the random weights of a layer that reads the inputs; above 1 its biases
            spread over [-1, 1], so that its units bend all over the axis.
    """
    if factorized:
        return FactorizedDense(features)
    if slope == 1.0:
        start = nn.initializers.glorot_normal()
    else:
        start = nn.initializers.variance_scaling(slope**2, "fan_avg", "truncated_normal")
    bias = _spread if slope > 1.0 else nn.initializers.zeros
    return nn.Dense(features, kernel_init=start, bias_init=bias, param_dtype=dtype)


def fourier_features(x: Any, rows: int, scale: float, seed: int) -> Any:
    r"""The (2 rows,) numbers :math:`[\cos(Bx), \sin(Bx)]` with a frozen Gaussian matrix *B*.

    After Tancik et al., *Fourier features let networks learn high frequency functions*, 2020.

    Arguments:
        x: (d,) inputs.
        rows: of B.
        scale: standard deviation of B's entries.
        seed: of B, which is made anew at every call and never trained.
    """
    shape = (x.shape[-1], rows)
    angle = x @ (scale * jax.random.normal(jax.random.key(seed), shape, x.dtype))
    return jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def _spread(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.random.uniform(key, shape, dtype, -1.0, 1.0)
