"""Gaussian random fields, by the modes of the Laplacian or of a kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.sampling.functions import (
    Places,
    RandomFunction,
    expand,
    finite,
    normal,
    on_unit_interval,
    whole,
)

_ROUNDING = float(np.finfo(float).eps)


@dataclass(frozen=True)
class GaussianField(RandomFunction):
    r"""A Gaussian field with a power of the Laplacian as its covariance.

    .. math:: u \sim N(m, \sigma^2 (-\Delta + \tau^2)^{-\alpha}), \qquad
        u = m + \sigma \sum_k (\lambda_k + \tau^2)^{-\alpha/2} \xi_k \varphi_k

    with independent standard normal :math:`\xi_k`, and :math:`\lambda_k, \varphi_k` the
    eigenvalues and normalised eigenfunctions of :math:`-\Delta`: products of waves on periodic
    axes, of cosines or sines on others. Coordinates count in the axes' own units, of which the
    Laplacian needs the same on all axes. The correlation length is about 1/tau; draws have
    somewhat less than alpha - d/2 derivatives on d axes.

    ============================ ========== === ===== =============
    Li et al., 2021; unit domain sigma      tau alpha boundary
    ============================ ========== === ===== =============
    Burgers                      25         5   2     ``periodic``
    Darcy flow (TwoPhase)        1          3   2     ``neumann``
    Navier-Stokes                7^0.75     7   2.5   ``periodic``
    ============================ ========== === ===== =============

    Li et al., *Fourier neural operator for parametric partial differential equations*, ICLR 2021.
    The programs that made their data leave out the constant mode (*zero_mean*), and the one for
    Navier-Stokes has sigma = 7^1.5.

    Arguments:
        sigma: the scale of the covariance; the pointwise deviation comes from all three numbers.
        tau: the inverse of a length, in the axes' units. Zero only without a constant mode.
        alpha: the smoothness; more than half the number of axes.
        modes: the largest wave number along each axis; finer grids see no finer detail.
        boundary: ``periodic`` if all axes are; else what holds at the ends of the others:
            ``neumann``, slope zero, or ``dirichlet``, value *mean*.
        mean: m.
        zero_mean: drop the constant mode, so that the integral of u - m is zero.

    Raises:
        PinnlabError: numbers out of range, a boundary that does not fit the axes, or axes of
            different units.
    """

    sigma: float
    tau: float
    alpha: float
    modes: int = 64
    boundary: str = "periodic"
    mean: float = 0.0
    zero_mean: bool = False

    def __post_init__(self) -> None:
        finite("GaussianField.sigma", self.sigma, above=0.0)
        finite("GaussianField.alpha", self.alpha, above=0.0)
        finite("GaussianField.mean", self.mean)
        whole("GaussianField.modes", self.modes)
        finite("GaussianField.tau", self.tau)
        choose("boundary of GaussianField", self.boundary, ("periodic", "neumann", "dirichlet"))
        if self.tau < 0.0 or (self.tau == 0.0 and not self._without_constant):
            raise PinnlabError(
                f"GaussianField.tau={self.tau:g} must be positive; 0 needs zero_mean=True or "
                "boundary='dirichlet', since the constant mode would be infinite"
            )
        if self.zero_mean and self.boundary == "dirichlet":
            raise PinnlabError(
                "GaussianField: boundary='dirichlet' has no constant mode for zero_mean to drop; "
                "leave zero_mean out"
            )

    @property
    def _without_constant(self) -> bool:
        return self.zero_mean or self.boundary == "dirichlet"

    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        self._check(places)
        squares, modes = [], []
        for name, s in on_unit_interval(places, "GaussianField").items():
            axis = places[name][0]
            boundary = "periodic" if axis.periodic else self.boundary
            frequency, values = _laplacian_modes(s, self.modes, boundary)
            squares.append((frequency / axis.length) ** 2)
            modes.append(values / math.sqrt(axis.length))
        shifted = reduce(np.add.outer, squares) + self.tau**2
        size = np.zeros_like(shifted)
        np.power(shifted, -0.5 * self.alpha, out=size, where=shifted > 0.0)
        if self.zero_mean:
            size[(0,) * size.ndim] = 0.0
        draws = normal(key, size.shape, dtype)
        return self.mean + expand(jnp.asarray(self.sigma * size, draws.dtype) * draws, modes)

    def _check(self, places: Places) -> None:
        ends = [name for name, (axis, _) in places.items() if not axis.periodic]
        if self.boundary == "periodic" and ends:
            raise PinnlabError(
                f"GaussianField: axis '{ends[0]}' is not periodic: give boundary='neumann' or "
                "'dirichlet', or declare the axis with periodic=True"
            )
        if places and self.boundary != "periodic" and not ends:
            raise PinnlabError(
                f"GaussianField: boundary='{self.boundary}', but the axes {list(places)} are "
                "periodic and have no ends: give boundary='periodic'"
            )
        if self.alpha <= 0.5 * len(places):
            raise PinnlabError(
                f"GaussianField.alpha={self.alpha:g} on {len(places)} axes has no finite variance: "
                f"give more than {0.5 * len(places):g}"
            )
        if len({axis.units for axis, _ in places.values()}) > 1:
            units = ", ".join(f"'{n}' in {axis.units}" for n, (axis, _) in places.items())
            raise PinnlabError(
                f"GaussianField: the Laplacian adds axes of one unit, got {units}; KernelField "
                "measures each axis by its own length"
            )


@dataclass(frozen=True)
class KernelField(RandomFunction):
    r"""A Gaussian process of mean zero with the squared-exponential kernel.

    .. math:: E[u(x) u(y)] = \sigma^2 \prod_i \exp(-(s_i - t_i)^2 / 2 \ell^2)

    with s = (x - lower) / (axis length), so that one *length* serves axes of any units. On a
    periodic axis the kernel is summed over its images, scaled to variance sigma\ :sup:`2`.

    The Karhunen-Loeve modes of each axis come from Nystrom's method on Gauss-Legendre nodes
    (Rasmussen & Williams, *Gaussian Processes for Machine Learning*, 2006, 4.3.2) and end where
    the eigenvalues fall below rounding: about 2.5 / length + 7 of them. Draws are analytic. The
    inputs of DeepONet (Lu et al., Nat. Mach. Intell. 3, 2021, 218-229) have length 0.2.

    Arguments:
        length: l, a share of each axis's length; 0.05 to 1 are common. At least 0.005.
        sigma: the standard deviation at each point.

    Raises:
        PinnlabError: a *length* that is too short, or a *sigma* that is not positive.
    """

    length: float
    sigma: float = 1.0

    def __post_init__(self) -> None:
        finite("KernelField.length", self.length, above=0.0)
        finite("KernelField.sigma", self.sigma, above=0.0)
        if self.length < 0.005:
            raise PinnlabError(
                f"KernelField.length={self.length:g} is a share of the axis and must be at least "
                "0.005: shorter ones need thousands of modes"
            )

    def __call__(self, key: Any, places: Places, dtype: Any = None) -> Any:
        modes = []
        for name, s in on_unit_interval(places, "KernelField").items():
            modes.append(_kernel_modes(s, self.length, places[name][0].periodic))
        draws = normal(key, tuple(values.shape[1] for values in modes), dtype)
        return self.sigma * expand(draws, modes)


def _laplacian_modes(s: np.ndarray, modes: int, boundary: str) -> tuple[np.ndarray, np.ndarray]:
    """The roots of the Laplacian's eigenvalues on the unit interval, and its orthonormal
    eigenfunctions at *s*: (m,), (n, m). The constant, where there is one, comes first."""
    k = np.arange(1, modes + 1)
    one, root = np.ones((len(s), 1)), math.sqrt(2.0)
    if boundary == "dirichlet":
        return np.pi * k, root * np.sin(np.pi * np.outer(s, k))
    if boundary == "neumann":
        values = np.concatenate([one, root * np.cos(np.pi * np.outer(s, k))], axis=1)
        return np.pi * np.concatenate([[0], k]), values
    angle = 2.0 * np.pi * np.outer(s, k)
    values = np.concatenate([one, root * np.cos(angle), root * np.sin(angle)], axis=1)
    return 2.0 * np.pi * np.concatenate([[0], k, k]), values


def _kernel_modes(s: np.ndarray, length: float, periodic: bool) -> np.ndarray:
    """The orthonormal eigenfunctions of the kernel at *s*, times the roots of their eigenvalues:
    (n, m), with variance one at each point."""
    if periodic:
        # the kernel's images sum to a Fourier series with its transform as coefficients
        last = max(1, math.ceil(math.sqrt(-0.5 * math.log(_ROUNDING)) / (math.pi * length)))
        frequency, values = _laplacian_modes(s, last, "periodic")
        share = np.exp(-0.5 * (frequency * length) ** 2)
        return values * np.sqrt(share / share.sum())
    nodes, back = _nystrom(length)
    return np.exp(-0.5 * ((s[:, None] - nodes) / length) ** 2) @ back


@lru_cache(maxsize=16)
def _nystrom(length: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes on [0, 1], and the matrix (q, m) that takes the kernel's values between points and
    nodes to its scaled eigenfunctions at the points."""
    q = 32 + math.ceil(6.0 / length)  # three and more a wave of the last mode
    nodes, weights = np.polynomial.legendre.leggauss(q)
    nodes, root = 0.5 * (nodes + 1.0), np.sqrt(0.5 * weights)
    kernel = np.exp(-0.5 * ((nodes[:, None] - nodes) / length) ** 2)
    eigenvalues, vectors = np.linalg.eigh(root[:, None] * kernel * root)
    kept = eigenvalues > q * _ROUNDING * eigenvalues[-1]
    eigenvalues, vectors = eigenvalues[kept][::-1], vectors[:, kept][:, ::-1]
    vectors = vectors * np.where(vectors[-1] < 0.0, -1.0, 1.0)  # or the library chooses the sign
    return nodes, root[:, None] * vectors / np.sqrt(eigenvalues)
