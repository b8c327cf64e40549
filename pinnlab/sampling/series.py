"""Truncated Fourier series with random amplitudes and phases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.sampling.functions import (
    Places,
    RandomFunction,
    expand,
    finite,
    on_unit_interval,
    uniform,
    whole,
)


@dataclass(frozen=True)
class FourierSeries(RandomFunction):
    r"""A truncated Fourier series with random amplitudes and phases, on periodic axes.

    .. math:: u(s) = a_0 + \sum_k w_k a_k \cos(2\pi k \cdot s + \phi_k), \qquad
        a_k \sim U[-A, A], \quad \phi_k \sim U[0, 2\pi)

    with s = (x - lower) / (axis length). On one axis k = 1, ..., K and w = 1. On more, the last
    component of k is 0, ..., K and the others are -K, ..., K; w halves for each of these others
    that is not zero, so that the two waves of a pair make up products of amplitude one. This is
    the default of APEBench (Koehler et al., *APEBench: a benchmark for autoregressive neural
    emulators of PDEs*, NeurIPS 2024) in its exponax 0.1.

    Arguments:
        modes: K.
        amplitude: A, the largest amplitude of a wave; or of the sum, with *unit_max*.
        zero_mean: without the constant a_0, which otherwise is uniform in [-A/2, A/2].
        unit_max: divide by the largest magnitude over a fixed grid of 16 nodes a shortest wave,
            so that the same key is the same function at any nodes; between them it may be larger by
            1 / cos(pi / 16) - 1, 2 per cent, an axis (Ehlich & Zeller, 1964). The largest is
            *amplitude* then, one unless given.

    Raises:
        PinnlabError: numbers out of range, or an axis that is not periodic.
    """

    modes: int = 5
    amplitude: float = 1.0
    zero_mean: bool = True
    unit_max: bool = False

    def __post_init__(self) -> None:
        whole("FourierSeries.modes", self.modes)
        finite("FourierSeries.amplitude", self.amplitude, above=0.0)

    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        for name, (axis, _) in places.items():
            if not axis.periodic:
                raise PinnlabError(
                    f"FourierSeries: axis '{name}' is not periodic: take GaussianField or "
                    "KernelField, or declare the axis with periodic=True"
                )
        nodes = list(on_unit_interval(places, "FourierSeries").values())
        series = self._coefficients(key, len(nodes), dtype)
        values = expand(series, self._waves(nodes)).real
        if self.unit_max:
            n = 16 * self.modes
            fixed = expand(series, self._waves([np.arange(n) / n] * len(nodes))).real
            values = values / jnp.max(jnp.abs(fixed))
        return self.amplitude * values

    def _numbers(self, dims: int) -> list[np.ndarray]:
        """The wave numbers along each axis; a real series needs half the space only."""
        both = np.arange(-self.modes, self.modes + 1)
        return [both] * (dims - 1) + [np.arange(self.modes + 1)]

    def _waves(self, nodes: list[np.ndarray]) -> list[np.ndarray]:
        numbers = self._numbers(len(nodes))
        return [np.exp(2j * np.pi * np.outer(s, k)) for s, k in zip(nodes, numbers, strict=True)]

    def _coefficients(self, key: Any, dims: int, dtype: Any) -> Any:
        """w a exp(i phi) over the wave numbers of all axes, for A = 1."""
        *others, last = self._numbers(dims)
        weights = [np.where(k == 0, 1.0, 0.5) for k in others] + [np.ones(len(last))]
        weight = reduce(np.multiply.outer, weights)
        constant = (self.modes,) * (dims - 1) + (0,)
        weight[constant] = 0.0 if self.zero_mean else 0.5
        turned = np.ones_like(weight)
        turned[constant] = 0.0  # the constant has no phase
        share = uniform(key, (2, *weight.shape), dtype)
        size = jnp.asarray(weight, share.dtype) * (2.0 * share[0] - 1.0)
        phase = jnp.asarray(2.0 * np.pi * turned, share.dtype) * share[1]
        return jax.lax.complex(size * jnp.cos(phase), size * jnp.sin(phase))
