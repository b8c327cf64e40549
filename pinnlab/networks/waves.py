"""Products of waves of each axis, with trained frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError


class Waves(nn.Module):
    r"""Sum over all products of waves of each axis, in which coefficients, frequencies and phases
    are trained:

    .. math:: u(z) = \sum_{j_1\dots j_d} c_{j_1\dots j_d}
        \prod_i \sin(\omega_{i,j_i} z_i + b_{i,j_i})

    The frequencies start at :math:`\omega_j = (j + 1/2)\,\pi/T`, each with a sine and a cosine: a
    Fourier series on [-T, T] of which only [-1, 1] is used. Any smooth function, periodic or not,
    is then found to near the precision by least squares, though the coefficients are far from
    unique, so that the network wants a second-order optimizer (with ``factorization: qr`` for the
    last digits). A periodic axis brings its sines and cosines itself (``model.harmonics``) and
    adds a constant.

    It is for smooth solutions on boxes of one to three axes; layers thinner than 1/width want
    another network. Reference: Adcock & Huybrechs, *Frames and numerical approximation*, SIAM
    Review 61, 2019, 443-473.

    Attributes:
        width: waves of an axis that is not periodic, one number or one for each axis in order;
            about 8, and 3 for each radian that the solution turns along half of the axis.
        extension: T; 2 is good, 1.5 resolves less well at the ends and more in the middle.
        blocks: how many inputs belong to each axis, in order; the model sets it. By default each
            input is an axis.
        outputs: number of outputs; the model sets it to the number of variables.

    Raises:
        PinnlabError: widths that are not positive or not one for each axis, or an extension
            below one.
    """

    width: int | Sequence[int] = 24
    extension: float = 2.0
    blocks: tuple[int, ...] = ()
    outputs: int = 1

    @nn.compact
    def __call__(self, x: Any) -> Any:
        blocks = self.blocks or (1,) * x.shape[-1]
        features, start = [], 0
        for i, (size, width) in enumerate(zip(blocks, self._widths(len(blocks)), strict=True)):
            inputs, start = x[start : start + size], start + size
            if size == 1:
                features.append(self._waves(i, width, inputs[0]))
            else:
                features.append(jnp.concatenate([jnp.ones((1,), x.dtype), inputs]))
        shape = tuple(len(f) for f in features)
        small = nn.initializers.normal(1e-3 / math.sqrt(math.prod(shape)))
        made = self.param("coefficients", small, (*shape, self.outputs), x.dtype)
        for feature in features:
            made = jnp.tensordot(feature, made, axes=(0, 0))
        return made

    def _waves(self, i: int, width: int, z: Any) -> Any:
        def frequencies(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
            return (jnp.arange(width, dtype=dtype) // 2 + 0.5) * (math.pi / self.extension)

        def phases(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
            return (jnp.arange(width, dtype=dtype) % 2) * (math.pi / 2)

        omega = self.param(f"frequency_{i}", frequencies, (width,), z.dtype)
        return jnp.sin(omega * z + self.param(f"phase_{i}", phases, (width,), z.dtype))

    def _widths(self, axes: int) -> Sequence[int]:
        widths = (self.width,) * axes if isinstance(self.width, int) else tuple(self.width)
        if len(widths) != axes or min(widths) < 1 or not self.extension >= 1:
            raise PinnlabError(
                f"network: width {self.width} must be positive, one number or one for each of the "
                f"{axes} axes, and extension {self.extension} at least 1"
            )
        return widths
