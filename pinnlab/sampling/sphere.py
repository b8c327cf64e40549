"""Random functions on the sphere, by spherical harmonics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.harmonics import Harmonics
from pinnlab.sampling.functions import Places, RandomFunction, finite, normal, whole


@dataclass(frozen=True)
class HarmonicSeries(RandomFunction):
    r"""A Gaussian field on the sphere whose distribution does not change under rotations:

    .. math:: u = \bar u + \sum_{l=1}^{K}\sum_{m=-l}^{l} a_{lm} Y_{lm}, \qquad
        a_{lm} \sim N\!\left(0, \frac{\sigma^2}{K(2l+1)}\right)

    with harmonics of mean square one, so that each degree has the same share of the variance
    :math:`\sigma^2`. The axes are latitude and behind it longitude, in degrees. Reference:
    Marinucci & Peccati, *Random fields on the sphere*, Cambridge University Press 2011.

    Arguments:
        degree: K, the largest degree; 4 to 16.
        size: :math:`\sigma`, the standard deviation, in the function's units.
        mean: :math:`\bar u`.

    Raises:
        PinnlabError: numbers out of range, or axes that are not latitude and longitude.
    """

    degree: int = 8
    size: float = 1.0
    mean: float = 0.0

    def __post_init__(self) -> None:
        whole("HarmonicSeries.degree", self.degree)
        finite("HarmonicSeries.size", self.size, above=0.0)
        finite("HarmonicSeries.mean", self.mean)

    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        axes = list(places.values())
        if len(axes) != 2 or [axis.units for axis, _ in axes] != ["degrees_north", "degrees_east"]:
            raise PinnlabError(
                "HarmonicSeries: it takes latitude (degrees_north) and behind it longitude "
                f"(degrees_east), not the axes {', '.join(places)}"
            )
        (_, lat), (_, lon) = axes
        harmonics = Harmonics(self.degree + 1, 2 * self.degree + 2, self.degree)
        l, m = np.arange(self.degree + 1)[:, None], np.arange(self.degree + 1)  # noqa: E741
        share = np.where((l > 0) & (m <= l), 1.0 / np.sqrt(self.degree * (2.0 * l + 1.0)), 0.0)
        random = normal(key, harmonics.shape, dtype)
        series = jnp.asarray(self.size * np.concatenate([share, share], axis=1), random.dtype)
        return self.mean + harmonics.evaluate(series * random, lat, lon)
