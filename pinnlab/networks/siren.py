"""Sinusoidal representation network."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError


class Siren(nn.Module):
    r"""*depth* hidden layers :math:`z_{l+1} = \sin(\omega_0 (W_l z_l + b_l))` of *width* units.

    The first weights are uniform on :math:`\pm 1/d`, the others on
    :math:`\pm\sqrt{6/n}/\omega_0` for *n* inputs of a layer. Then the first sines are arcsine
    distributed and the arguments of all others about standard normal (a standard deviation from 1
    down to 0.89), so that neither values nor derivatives fade or explode with depth. After
    Sitzmann, Martel, Bergman, Lindell & Wetzstein, *Implicit neural representations with periodic
    activation functions*, NeurIPS 2020. Here the first biases spread the phases over a full turn,
    which makes the claim hold at every point and for a small :math:`\omega_0` too; the other biases
    start at zero.

    Attributes:
        width, depth: size; 20 x 2 to 40 x 4.
        omega_0: highest frequency of the first layer, in radians per half axis. The paper's 30
            suits images; smooth solutions want 2 to 5.
        outputs: number of outputs; the model sets it to the number of variables.

    Raises:
        PinnlabError: a frequency that is not positive.
    """

    width: int = 20
    depth: int = 3
    omega_0: float = 4.0
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        if self.omega_0 <= 0.0:
            raise PinnlabError(f"network.omega_0 must be positive, got {self.omega_0}")
        first = {"kernel_init": _uniform(1.0 / x.shape[-1])}
        first["bias_init"] = _uniform(math.pi / self.omega_0)
        deeper = {"kernel_init": _uniform(math.sqrt(6.0 / self.width) / self.omega_0)}
        dtype = x.dtype
        for layer in range(self.depth):
            start = deeper if layer else first
            x = jnp.sin(self.omega_0 * nn.Dense(self.width, param_dtype=dtype, **start)(x))
        return nn.Dense(self.outputs, param_dtype=dtype, **deeper)(x)


def _uniform(bound: float) -> Any:
    def start(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return start
