r"""Spectra: how the energy of a field is spread over wave numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError


def spectrum(
    values: Any, dims: int, periodic: bool | Sequence[bool] = True
) -> tuple[np.ndarray, np.ndarray]:
    r"""Energy by shells of the wave number over the last *dims* axes: ``(k, energy)``.

    .. math:: E_k = \sum_{k - 1/2 \le |\kappa| < k + 1/2} |\hat u_\kappa|^2,
        \qquad \sum_k E_k = \langle u^2 \rangle

    :math:`\kappa` counts waves over an axis's whole length. Periodic axes take the real Fourier
    transform. The others take the cosine transform of their even continuation (DCT-I), so that
    ends which differ do not leak into all wave numbers; half waves exist there, the mean alone
    is in shell 0. :math:`\langle\cdot\rangle` is the mean over equidistant nodes, on an axis with
    two ends by the trapezoidal rule. Reference: Denis, Cote & Laprise, *Monthly Weather Review*
    130, 2002, 1812-1829 (why cosines where a field has ends).

    Arguments:
        values: (..., n_1, ..., n_d), real; on an axis that is not periodic with both ends.
        dims: d.
        periodic: of all those axes, or of each.

    Returns:
        (K,) wave numbers and (..., K) energies.

    Raises:
        PinnlabError: too few axes or nodes, or a *periodic* that does not fit *dims*.
    """
    u = np.asarray(values, dtype=np.float64)
    counted(dims)
    closed = list(periodic) if isinstance(periodic, Sequence) else [periodic] * dims
    if u.ndim < dims or len(closed) != dims or min(u.shape[u.ndim - dims :]) < 2:
        raise PinnlabError(
            f"spectrum: values of shape {u.shape} need {dims} last axes of two nodes or more, and "
            f"'periodic' one entry for each, not {len(closed)}"
        )
    places = range(u.ndim - dims, u.ndim)
    waves: dict[int, np.ndarray] = {}
    # Cosines first: they keep the values real, so that one of the others can do with half a series.
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite shows in the result
        for axis, whole in sorted(zip(places, closed, strict=True), key=lambda pair: pair[1]):
            u, waves[axis] = _waves(u, axis) if whole else _half_waves(u, axis)
        return _shells(np.abs(u) ** 2, [waves[axis] for axis in places])


def counted(dims: int) -> int:
    """*dims* if it can be a number of axes; else raise :class:`PinnlabError`."""
    if dims < 1:
        raise PinnlabError(f"dims counts the axes of space, 1 or more, not {dims}")
    return dims


def _waves(u: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes whose squares are energies, and wave numbers, along a periodic axis."""
    n = u.shape[axis]
    if np.iscomplexobj(u):
        return np.fft.fft(u, axis=axis, norm="forward"), np.abs(np.fft.fftfreq(n, 1.0 / n))
    k = np.arange(n // 2 + 1)
    pairs = np.where((k == 0) | (2 * k == n), 1.0, math.sqrt(2.0))  # each stands for k and -k
    shape = [-1 if i == axis else 1 for i in range(u.ndim)]
    return np.fft.rfft(u, axis=axis, norm="forward") * pairs.reshape(shape), k.astype(float)


def _half_waves(u: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The same along an axis with two ends: of the even continuation, twice as long."""
    inner = np.flip(u, axis).take(np.arange(1, u.shape[axis] - 1), axis)
    made, k = _waves(np.concatenate([u, inner], axis), axis)
    return made.real, 0.5 * k


def _shells(energy: np.ndarray, waves: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    grids = np.meshgrid(*waves, indexing="ij", sparse=True)
    size = np.sqrt(sum(k**2 for k in grids))
    shell = np.floor(size + 0.5).astype(int).ravel()
    count = int(shell.max()) + 1
    lead = energy.shape[: energy.ndim - len(waves)]
    rows = energy.reshape(-1, shell.size)
    sums = np.array([np.bincount(shell, row, count) for row in rows])
    return np.arange(count, dtype=np.float64), sums.reshape(*lead, count)
