"""Fourier neural operator whose spectral weights are tensors of low rank."""

from __future__ import annotations

from math import log2, prod
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.networks.spectral import convolve
from pinnlab.networks.spectrum import TRANSFORMS, for_axes, remaining, rows
from pinnlab.networks.stack import stacked


class FactorizedFno(nn.Module):
    r"""An :class:`~pinnlab.networks.Fno` with spectral weights in Tucker's form:

    .. math:: R_{k,c,o} = \sum_{a,p,q} G_{a,p,q}\,A_{c,p}\,B_{q,o}\prod_i U^i_{k_i,a_i}

    with a complex core G and real factors A, B, U. Of each of the weight's sizes the share *rank*
    remains: in two dimensions about a sixteenth of the weights for 0.5, a quarter for 0.7. After
    Kossaifi, Kovachki, Azizzadenesheli & Anandkumar, *Multi-grid tensorized Fourier neural
    operator for high-resolution PDEs*, arXiv:2310.00120, 2023, whose factors are complex.

    Attributes:
        width: channels; 32 to 128.
        depth: layers; 4.
        modes: waves kept on every axis, or on each; 12 to 32.
        rank: share of each size, above 0 and at most 1; 0.25 to 0.7.
        hidden, padding, activation, transform: as for :class:`~pinnlab.networks.Fno`.
        outputs, periodic: set by the model.

    Raises:
        PinnlabError: a rank out of its range, modes for another number of axes, or a name that
            does not exist.
    """

    width: int = 48
    depth: int = 4
    modes: int | tuple[int, ...] = 16
    rank: float = 0.5
    hidden: int = 0
    padding: float = 0.25
    activation: str = "gelu"
    transform: str = "auto"
    outputs: int = 1
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        modes = for_axes(self.modes, x.ndim - 1)
        transform = "dft" if self.transform == "auto" else self.transform

        def linear(layer: int, x: Any) -> Any:
            return FactorizedConvolution(self.width, modes, self.rank, transform)(x)

        return stacked(self, x, linear, self.periodic, self.padding)


class FactorizedConvolution(nn.Module):
    """(*n, C) fields to (*n, features) ones by their lowest waves, with few weights.

    The factors of the channels are real, so that they commute with the transform: where that is
    cheaper, only as many fields are transformed as the core has channels.

    Attributes:
        features: channels of the answer.
        modes: waves kept on each axis; on a grid with fewer, those that it has.
        rank: share of each size of the weight.
        transform: ``dft`` or ``fft``.

    Raises:
        PinnlabError: a rank out of its range, or an unknown transform.
    """

    features: int
    modes: tuple[int, ...]
    rank: float = 0.5
    transform: str = "dft"

    @nn.compact
    def __call__(self, x: Any) -> Any:
        choose("transform (network.transform)", self.transform, TRANSFORMS)
        if not 0.0 < self.rank <= 1.0:
            raise PinnlabError(f"network.rank must be above 0 and at most 1, got {self.rank}")
        *shape, channels = x.shape
        sizes = (*rows(self.modes), channels, self.features)
        ranks = tuple(max(1, round(self.rank * n)) for n in sizes)

        def factor(name: str, size: int, rank: int) -> Any:
            # Products with it keep the mean square, and the core has that of an Fno's weight.
            start = nn.initializers.normal(rank**-0.5)
            return self.param(name, start, (size, rank), x.dtype)

        start = nn.initializers.normal((2.0 * channels * self.features) ** -0.5)
        core = self.param("core", start, (*ranks, 2), x.dtype)
        kept = tuple(min(k, n // 2) for k, n in zip(self.modes, shape, strict=True))
        for dim in range(len(shape)):
            waves = factor(f"waves_{dim}", sizes[dim], ranks[dim])
            core = jnp.moveaxis(jnp.tensordot(waves, core, axes=(1, dim)), 0, dim)
        core = remaining(core, self.modes, kept)
        into = factor("into", channels, ranks[-2])
        out = factor("out", self.features, ranks[-1])
        if _apart(shape, kept, (channels, self.features), ranks[-2:], self.transform):
            core = jnp.moveaxis(core, -3, -1)
            return convolve(x @ into, core, kept, self.transform) @ out.T
        weight = jnp.einsum("cp,...pqz,oq->...ozc", into, core, out)
        return convolve(x, weight, kept, self.transform)


def _apart(
    shape: list[int],
    modes: tuple[int, ...],
    channels: tuple[int, int],
    core: tuple[int, ...],
    transform: str,
) -> bool:
    """Whether fewer operations are needed for one instance with the factors of the channels on
    the nodes than with the whole weight, which all instances share."""
    nodes, (c, o), (p, q) = prod(shape), channels, core
    a_field = nodes * (2.5 * log2(nodes) if transform == "fft" else 4.0 * modes[-1])
    saved = a_field * (c + o - p - q) + 8.0 * prod(rows(modes)) * (c * o - p * q)
    return 2.0 * nodes * (c * p + q * o) < saved
