"""Random Fourier features in front of a network."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from pinnlab.networks.layers import fourier_features
from pinnlab.networks.mlp import MLP


class FourierFeatures(nn.Module):
    r"""A network on :math:`[\cos(Bx), \sin(Bx)]` with a frozen random matrix *B*.

    After Tancik et al., *Fourier features let networks learn high frequency functions*, 2020. In
    yaml the settings of the network behind (``network.width``) stand beside its own.

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
        inputs = fourier_features(x, self.features, self.scale, self.seed)
        return self.network.clone(outputs=self.outputs, parent=self, name="behind")(inputs)
