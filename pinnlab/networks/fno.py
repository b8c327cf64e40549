"""Fourier neural operator."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from pinnlab.networks.spectral import SpectralConvolution
from pinnlab.networks.spectrum import for_axes
from pinnlab.networks.stack import stacked


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
        modes = for_axes(self.modes, x.ndim - 1)
        transform = "dft" if self.transform == "auto" else self.transform

        def linear(layer: int, x: Any) -> Any:
            return SpectralConvolution(self.width, modes, transform)(x)

        return stacked(self, x, linear, self.periodic, self.padding, self.residual)
