"""What acts on the channels at a node, and what continues a field beyond its ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class Pointwise(nn.Module):
    """A linear map of the channels of (*n, C) fields, the same at every node.

    Attributes:
        features: channels of the answer.
    """

    features: int

    @nn.compact
    def __call__(self, x: Any, more: Any = 0.0, act: Callable[[Any], Any] | None = None) -> Any:
        """The fields, with *more* added to them, under an activation if there is one."""
        # Outputs first, so that neither forward nor backward turns the fields round.
        start = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)
        weight = self.param("kernel", start, (self.features, x.shape[-1]), x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        y, bias = jnp.tensordot(x, weight, axes=(-1, 1)), bias.reshape(*[1] * (x.ndim - 1), -1)
        if act is None:
            return y + bias + more
        # The way back makes the sum anew, which takes less than to write and read the
        # activation's own parts.
        return jax.checkpoint(lambda y, bias, more: act(y + bias + more))(y, bias, more)


def continued(x: Any, periodic: tuple[bool, ...], share: float) -> Any:
    r"""(\*n, C) with zeros behind the upper end of each axis that is not periodic."""
    shape = x.shape[:-1]
    pads = [
        (0, 0 if closed else round(share * n))
        for n, closed in zip(shape, periodic or (True,) * len(shape), strict=True)
    ]
    return jnp.pad(x, [*pads, (0, 0)]) if any(high for _, high in pads) else x
