"""Fourier neural operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.networks.layers import activation
from pinnlab.networks.spectral import SpectralConvolution
from pinnlab.networks.spectrum import for_axes


class Fno(nn.Module):
    r"""Fourier neural operator: *depth* layers of a spectral convolution beside a linear map.

    .. math:: v_{l+1} = v_l + \sigma(\mathcal K_l v_l + W_l v_l + b_l)

    between a lifting and a projection with one hidden layer, all of which act on the channels at
    a node. After Li et al., ICLR 2021, whose layers have no path around them (``residual=False``).

    Attributes:
        width: channels; 24 to 64.
        depth: layers; 4.
        modes: waves kept on every axis, or on each.
        hidden: width of the projection's hidden layer; 0 for twice the channels.
        padding: share by which axes that are not periodic are continued with zeros, so that the
            layers' waves need not close there.
        residual: whether each layer adds to what it was given.
        activation: as for :class:`~pinnlab.networks.MLP`.
        transform: ``dft`` or ``fft`` (:mod:`pinnlab.networks.spectral`); ``auto`` is replaced by
            the faster of both, measured at the start of a run.
        outputs, periodic: set by the model.

    Raises:
        PinnlabError: modes for another number of axes, or a name that does not exist.
    """

    width: int = 32
    depth: int = 4
    modes: int | tuple[int, ...] = 12
    hidden: int = 0
    padding: float = 0.25
    residual: bool = True
    activation: str = "gelu"
    transform: str = "auto"
    outputs: int = 1
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        act, shape = activation(self.activation), x.shape[:-1]
        modes = for_axes(self.modes, len(shape))
        transform = "dft" if self.transform == "auto" else self.transform
        x = continued(x, self.periodic, self.padding)
        x = Pointwise(self.width)(x)
        for layer in range(self.depth):
            y = SpectralConvolution(self.width, modes, transform)(x)
            plain = layer == self.depth - 1 and not self.residual
            y = Pointwise(self.width)(x, y, None if plain else act)
            x = x + y if self.residual else y
        x = x[tuple(slice(0, n) for n in shape)]
        x = Pointwise(self.hidden or 2 * self.width)(x, act=act)
        return Pointwise(self.outputs)(x)


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
