"""Fourier neural operator with small U-Nets beside its last layers."""

from __future__ import annotations

from typing import Any

import flax.linen as nn

from pinnlab.networks.spectral import SpectralConvolution
from pinnlab.networks.spectrum import for_axes
from pinnlab.networks.stack import stacked
from pinnlab.networks.unet import UShape


class Ufno(nn.Module):
    r"""An :class:`~pinnlab.networks.Fno` whose last layers see steep fronts by a U-Net U:

    .. math:: v_{l+1} = v_l + \sigma(\mathcal K_l v_l + U_l v_l + W_l v_l + b_l)

    Convolutions reach a number of nodes, so that on a finer grid the parameters fit, but mean
    something else. After Wen, Li, Azizzadenesheli, Anandkumar & Benson, *U-FNO: an enhanced Fourier
    neural operator for multiphase flow*, Adv. Water Resour. 163, 2022, whose layers have no path
    around them.

    Attributes:
        width: channels; 24 to 48.
        depth: layers; 4 to 6.
        beside: how many of them, the last ones, have a U-Net; half.
        halvings: of the grid in a U-Net; 2 or 3.
        modes, hidden, padding, activation, transform: as for :class:`~pinnlab.networks.Fno`.
        beyond: as for :class:`~pinnlab.networks.UNet`, beyond what *padding* adds.
        outputs, periodic: set by the model.

    Raises:
        PinnlabError: modes for another number of axes, a name that does not exist, or a grid too
            small for its halvings.
    """

    width: int = 32
    depth: int = 4
    beside: int = 2
    halvings: int = 2
    modes: int | tuple[int, ...] = 12
    hidden: int = 0
    padding: float = 0.25
    activation: str = "gelu"
    beyond: str = "reflect"
    transform: str = "auto"
    outputs: int = 1
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        modes = for_axes(self.modes, x.ndim - 1)
        transform = "dft" if self.transform == "auto" else self.transform
        kind = (self.activation, self.beyond, self.periodic)

        def linear(layer: int, x: Any) -> Any:
            y = SpectralConvolution(self.width, modes, transform)(x)
            if layer < self.depth - self.beside:
                return y
            return y + UShape(self.width, self.halvings, 1, *kind)(x)

        return stacked(self, x, linear, self.periodic, self.padding)
