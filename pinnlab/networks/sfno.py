"""Spherical Fourier neural operator: layers that multiply spherical harmonics by their degree."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError
from pinnlab.core.harmonics import Harmonics
from pinnlab.networks.stack import stacked


class Sfno(nn.Module):
    r"""A neural operator on the sphere, whose layers' kernels depend on the distance alone:

    .. math:: v_{l+1} = v_l + \sigma(\mathcal K_l v_l + W_l v_l + b_l),\quad
        \mathcal K v = \sum_{n < N}\sum_{m=-n}^{n} R_n\,\hat v_{nm}\,Y_{nm}

    One real matrix :math:`R_n` of channels for each degree n, so that K commutes with every
    rotation, and the poles are points as others. Fields lie on Gaussian latitudes from south to
    north times equidistant longitudes (:func:`pinnlab.core.latitudes.sphere_grid`), whose nodes
    follow from their numbers. After Bonev et al., *Spherical Fourier neural operators: learning
    stable dynamics on the sphere*, ICML 2023.

    Attributes:
        width: channels; 24 to 64.
        depth: layers; 4.
        modes: degrees kept, N; half of the number of latitudes, or fewer.
        hidden, activation: as for :class:`~pinnlab.networks.Fno`.
        linear: add one more K from the input straight to the output, for what is nearly linear,
            such as waves over a short step.
        outputs, periodic: set by the model.

    Raises:
        PinnlabError: a grid that is not latitude x longitude, or an activation that does not exist.
    """

    width: int = 32
    depth: int = 4
    modes: int = 16
    hidden: int = 0
    activation: str = "gelu"
    linear: bool = False
    outputs: int = 1
    periodic: tuple[bool, ...] = ()

    @nn.compact
    def __call__(self, x: Any) -> Any:
        if x.ndim != 3 or self.periodic not in ((), (False, True)):
            raise PinnlabError(
                "network: Sfno needs a grid of two axes, latitude and behind it longitude (which "
                f"is periodic); got {x.ndim - 1} axes, periodic: {list(self.periodic)}"
            )

        def convolved(layer: int, x: Any) -> Any:
            return DegreeConvolution(self.width, self.modes)(x)

        made = stacked(self, x, convolved)
        if self.linear:
            made = made + DegreeConvolution(self.outputs, self.modes)(x)
        return made


class DegreeConvolution(nn.Module):
    """(n_lat, n_lon, C) fields to (n_lat, n_lon, features) ones by harmonics of low degree.

    Attributes:
        features: channels of the answer.
        modes: degrees kept; on a grid with fewer, those that it resolves.

    Raises:
        PinnlabError: less than two degrees.
    """

    features: int
    modes: int

    @nn.compact
    def __call__(self, x: Any) -> Any:
        n_lat, n_lon, channels = x.shape
        start = nn.initializers.normal((channels * self.features) ** -0.5)
        full = self.param("weight", start, (self.modes, channels, self.features), x.dtype)
        degree = min(self.modes - 1, n_lat - 1, (n_lon - 1) // 2)
        if degree < 1:
            raise PinnlabError(
                f"network.modes: at least two degrees, got {self.modes} on {n_lat} x {n_lon} points"
            )
        harmonics = Harmonics(n_lat, n_lon, degree)
        z = harmonics.analysis(jnp.moveaxis(x, -1, 0))
        z = jnp.einsum("lco,clm->olm", full[: degree + 1], z)
        return jnp.moveaxis(harmonics.synthesis(z), 0, -1)
