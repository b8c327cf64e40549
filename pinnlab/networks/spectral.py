r"""Spectral convolution: a linear map of channels for each of the lowest waves of a field.

.. math:: (\mathcal K v)_o(x) = \sum_{|k_i| \le K_i} \sum_c R_{k,c,o}\,\hat v_c(k)\,e^{ik\cdot x}

Reference: Li et al., *Fourier neural operator for parametric partial differential equations*, ICLR
2021. The transforms are in :mod:`pinnlab.networks.spectrum`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn

from pinnlab.core.errors import choose
from pinnlab.networks.spectrum import (
    TRANSFORMS,
    for_axes,
    from_waves,
    mixed,
    remaining,
    rows,
    to_waves,
)


class SpectralConvolution(nn.Module):
    r"""(\*n, C) fields to (\*grid, features) ones by their lowest waves.

    Attributes:
        features: channels of the answer.
        modes: waves kept on each axis; on a grid with fewer, those that it has.
        transform: ``dft`` or ``fft``.
        grid: nodes of the answer on each axis; as many as the field has if empty.

    Raises:
        PinnlabError: an unknown transform, or modes for another number of axes.
    """

    features: int
    modes: tuple[int, ...]
    transform: str = "dft"
    grid: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        *shape, channels = x.shape
        choose("transform (network.transform)", self.transform, TRANSFORMS)
        modes, grid = for_axes(self.modes, len(shape)), self.grid or tuple(shape)
        start = nn.initializers.normal((2.0 * channels * self.features) ** -0.5)
        sizes = (*rows(modes), self.features, 2, channels)
        weight = self.param("weight", start, sizes, x.dtype)
        kept = tuple(min(k, n // 2, m // 2) for k, n, m in zip(modes, shape, grid, strict=True))
        return convolve(x, remaining(weight, modes, kept), kept, self.transform, grid)


def convolve(
    x: Any, weight: Any, modes: Sequence[int], transform: str, grid: tuple[int, ...] = ()
) -> Any:
    r"""Multiply the waves of (\*n, C) *x* with (\*rows, features, 2, C) real and imaginary weights.

    *modes* waves are kept on each axis: k = 0 to K - 1 of the last, -K to K - 1 of the others. The
    answer is (\*n, features), or on another *grid*.
    """
    z = mixed(to_waves(x, tuple(modes), transform), weight)
    return from_waves(z, grid or x.shape[:-1], transform)
