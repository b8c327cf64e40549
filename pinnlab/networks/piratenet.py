"""Residual network that starts linear in an embedding of its inputs and deepens in training."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from pinnlab.networks.layers import activation, dense, fourier_features


class PirateNet(nn.Module):
    r"""Gated residual blocks, each mixed in by a trained :math:`\alpha_l` that starts at zero:

    .. math:: z_{l+1} = \alpha_l\,h(g(f(z_l))) + (1 - \alpha_l)\,z_l,\quad z_0 = \Phi(x)

    *f* and *g* are dense layers whose outputs *s* become :math:`s \odot U + (1 - s) \odot V` with
    two encoders *U*, *V* of the embedding :math:`\Phi`; *h* is a plain one. With all
    :math:`\alpha_l = 0` the network is linear in :math:`\Phi(x)`, however deep it is. After Wang,
    Li, Chen & Perdikaris, *PirateNets: physics-informed deep learning with residual adaptive
    networks*, JMLR 25, 2024.

    Attributes:
        width: of *f*, *g* and the encoders; 20 to 32 for second-order optimizers, 256 for
            first-order ones on an accelerator.
        depth: number of blocks of three layers each; 1 to 3.
        activation: one of tanh, sin, gelu, silu, softplus.
        features: random frequencies of :math:`\Phi = [\cos(Bx), \sin(Bx)]` (twice as many
            numbers); 0 for :math:`\Phi = x`, where the inputs are sines already.
        scale: standard deviation of B's entries, in radians per half axis; 1 to 5.
        seed: of B, which is not trained.
        factorized: weights as scale times direction
            (:class:`~pinnlab.networks.layers.FactorizedDense`).
        outputs: number of outputs; the model sets it to the number of variables.

    Raises:
        PinnlabError: an activation that does not exist.
    """

    width: int = 20
    depth: int = 2
    activation: str = "tanh"
    features: int = 16
    scale: float = 2.0
    seed: int = 0
    factorized: bool = False
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        act, dtype = activation(self.activation), x.dtype
        if self.features:
            x = fourier_features(x, self.features, self.scale, self.seed)

        def layer(z: Any, size: int = self.width) -> Any:
            return act(dense(size, dtype, self.factorized)(z))

        u, v, z = layer(x), layer(x), x
        for k in range(self.depth):
            inner = z
            for _ in range(2):
                gate = layer(inner)
                inner = gate * u + (1.0 - gate) * v
            alpha = self.param(f"alpha_{k}", nn.initializers.zeros, (), dtype)
            z = alpha * layer(inner, x.shape[-1]) + (1.0 - alpha) * z
        return dense(self.outputs, dtype, self.factorized)(z)
