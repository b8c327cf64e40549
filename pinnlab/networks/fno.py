"""Fourier neural operator."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from pinnlab.networks.layers import activation
from pinnlab.networks.spectral import SpectralConvolution


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
        modes = self.modes if isinstance(self.modes, tuple) else (self.modes,) * len(shape)
        transform = "dft" if self.transform == "auto" else self.transform
        x = continued(x, self.periodic, self.padding, last=True)
        x = Pointwise(self.width, last=True)(x)
        for layer in range(self.depth):
            y = SpectralConvolution(self.width, modes, transform, last=True)(x)
            y = y + Pointwise(self.width, last=True)(x)
            y = y if layer == self.depth - 1 and not self.residual else act(y)
            x = x + y if self.residual else y
        x = x[tuple(slice(0, n) for n in shape)]
        x = act(Pointwise(self.hidden or 2 * self.width, last=True)(x))
        return Pointwise(self.outputs, last=True)(x)


class Pointwise(nn.Module):
    """A linear map of the channels of (C, *n) fields, or (*n, C) ones, the same at every node.

    Attributes:
        features: channels of the answer.
        last: whether the channels are the last axis, which is faster in a batch.
    """

    features: int
    last: bool = False

    @nn.compact
    def __call__(self, x: Any) -> Any:
        start, inputs = nn.initializers.lecun_normal(), x.shape[-1 if self.last else 0]
        weight = self.param("kernel", start, (inputs, self.features), x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        ones = [1] * (x.ndim - 1)
        if not self.last:
            return jnp.tensordot(weight, x, axes=(0, 0)) + bias.reshape(-1, *ones)
        # The compiler would move the two turns of the small matrix to the fields, whose product
        # with each other, the weight's gradient, then takes several times as long.
        turned = jax.lax.optimization_barrier(weight.T)
        return jnp.tensordot(x, turned, axes=(-1, 1)) + bias.reshape(*ones, -1)


def continued(x: Any, periodic: tuple[bool, ...], share: float, last: bool = False) -> Any:
    r"""(C, \*n), or (\*n, C), with zeros behind the upper end of each axis that is not periodic."""
    shape = x.shape[:-1] if last else x.shape[1:]
    pads = [
        (0, 0 if closed else round(share * n))
        for n, closed in zip(shape, periodic or (True,) * len(shape), strict=True)
    ]
    if not any(high for _, high in pads):
        return x
    return jnp.pad(x, [*pads, (0, 0)] if last else [(0, 0), *pads])
