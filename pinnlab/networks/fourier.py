"""Random Fourier features in front of a network."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.networks.mlp import MLP


class FourierFeatures(nn.Module):
    r"""A network on :math:`[\cos(Bx), \sin(Bx)]` with a frozen random matrix *B*.

    After Tancik et al., *Fourier features let networks learn high frequency functions*, 2020.

    Attributes:
        network: the network behind the features.
        features: number of rows of B (twice as many inputs).
        scale: standard deviation of B's entries, in radians per half axis; 1 to 10.
        seed: of the matrix, which is not trained.
        outputs: number of outputs; the model sets it.
    """

    network: nn.Module = MLP()
    features: int = 32
    scale: float = 2.0
    seed: int = 0
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        shape = (x.shape[-1], self.features)
        matrix = self.scale * jax.random.normal(jax.random.key(self.seed), shape, x.dtype)
        angle = x @ matrix
        inputs = jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=-1)
        return self.network.clone(outputs=self.outputs, parent=self, name="behind")(inputs)
