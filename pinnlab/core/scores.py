r"""Scores: how good the predicted fields of many instances are.

Arrays carry the instances on their first axis and space on their last ones; whatever stands
between, such as the times of a roll-out, is told in each function. Everything is computed in
float64, on the nodes as they are: a score is no integral, so compare on equidistant nodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.spectra import counted, spectrum

__all__ = [
    "BandErrors",
    "band_errors",
    "break_even",
    "correlation_time",
    "drift",
    "nrmse",
    "relative_l2",
    "spectrum",
]

_NOISE = 4.0  # units in the last place: what a band may hold by rounding alone


@dataclass(frozen=True, eq=False)
class BandErrors:
    """Relative errors by wave number, for each of N instances.

    Attributes:
        edges: the wave numbers that part the bands.
        bands: (N, len(edges) + 1), from low to high; NaN where the truth holds no energy beyond
            rounding, as no error is relative to nothing.
        spectrum: (N,), the error of the energies themselves: blind to phase, so a shifted copy
            of the truth has none.
    """

    edges: tuple[float, ...]
    bands: np.ndarray
    spectrum: np.ndarray


def relative_l2(predicted: Any, truth: Any) -> np.ndarray:
    r""":math:`\|p - u\| / \|u\|` of each instance, (N,), over times and space together.

    The error itself where the truth vanishes.

    Raises:
        PinnlabError: shapes that differ, or nothing to compare.
    """
    p, u = _pair(predicted, truth, 1)
    return _ratio(_off(p, u), u)


def nrmse(predicted: Any, truth: Any, dims: int | None = None) -> np.ndarray:
    r"""Root mean square error over the root mean square of the truth, (N,), as PDEBench takes it.

    .. math:: \frac{1}{T}\sum_t \sqrt{\langle (p_t - u_t)^2\rangle / \langle u_t^2\rangle}

    over the last *dims* axes, then the mean over those between (times). Without *dims* those are
    all axes, and the score is :func:`relative_l2`. It differs for a roll-out: each time counts
    alike, so that a solution that decays is judged by its end as much as by its begin, whereas
    relative L2 forgets where the truth is small. Never compare one with the other.
    Reference: Takamoto et al., *PDEBench*, NeurIPS 2022, ``metrics.py``.

    Raises:
        PinnlabError: shapes that differ, or fewer axes than *dims* needs.
    """
    p, u = _pair(predicted, truth, 1 if dims is None else 1 + counted(dims))
    shape = p.shape[: 1 if dims is None else p.ndim - dims]
    each = _ratio(_off(p, u).reshape(math.prod(shape), -1), u.reshape(math.prod(shape), -1))
    return each.reshape(shape[0], -1).mean(axis=1)


def band_errors(
    predicted: Any,
    truth: Any,
    dims: int,
    edges: Sequence[float] = (4, 12),
    periodic: bool | Sequence[bool] = True,
) -> BandErrors:
    r"""Relative errors in bands of wave numbers, over the last *dims* axes and all times together.

    .. math:: \Big(\sum_{k \in B} E_k(p - u) \Big/ \sum_{k \in B} E_k(u)\Big)^{1/2}, \qquad
        \|E(p) - E(u)\| / \|E(u)\|

    with the energies of :func:`spectrum`. The bands are those of PDEBench's fRMSE, by default
    k < 4, 4 <= k < 12 and k >= 12, whereas fRMSE is an absolute error, which tells about units
    and amplitudes as much as about the prediction.
    Reference: Takamoto et al., *PDEBench*, NeurIPS 2022, ``metrics.py``.

    Arguments:
        predicted, truth: (N, ..., n_1, ..., n_d).
        dims, periodic: as for :func:`spectrum`.
        edges: where the bands part, rising.

    Raises:
        PinnlabError: shapes that differ, edges that do not rise, or what :func:`spectrum` raises.
    """
    p, u = _pair(predicted, truth, 1 + counted(dims))
    parts = np.asarray(edges, dtype=np.float64)
    if parts.ndim != 1 or np.any(np.diff(parts, prepend=0.0) <= 0):
        raise PinnlabError(f"band_errors: edges must be positive and rise, got {tuple(edges)}")
    k, error, held, found = _energies(_off(p, u), u, p, dims=dims, periodic=periodic)
    band = np.searchsorted(parts, k, side="right")
    sums = [[e[..., band == b].sum((1, 2)) for b in range(parts.size + 1)] for e in (error, held)]
    of_error, of_truth = (np.stack(each, axis=1) for each in sums)
    kind = np.asarray(truth).dtype
    unit = float(np.finfo(kind if kind.kind == "f" else np.float64).eps)
    empty = of_truth <= (_NOISE * unit) ** 2 * held.sum((1, 2))[:, None]
    ratio = np.sqrt(of_error / np.where(empty, 1.0, of_truth))
    return BandErrors(
        tuple(float(edge) for edge in parts),
        np.where(empty, np.nan, ratio),
        _ratio(found - held, held),
    )


def correlation_time(
    predicted: Any, truth: Any, times: Any, threshold: float = 0.8
) -> tuple[np.ndarray, np.ndarray]:
    r"""How long roll-outs stay close: the first time at which the correlation is below *threshold*.

    .. math:: \rho(t) = \frac{\langle (p - \bar p)(u - \bar u) \rangle}
        {\sqrt{\langle (p - \bar p)^2 \rangle \langle (u - \bar u)^2 \rangle}}

    is Pearson's over space, taken as linear between two times. Where one field is constant or not
    finite it is 0, as nothing correlates; where both are constant it is 1. Good thresholds are
    0.8 and 0.95. Reference: Lippe et al., *PDE-Refiner*, NeurIPS 2023.

    Arguments:
        predicted, truth: (N, T, ...).
        times: (T,), rising.
        threshold: above -1, at most 1.

    Returns:
        (N,) times, the last one where the correlation never falls; (N,) flags, whether it fell.

    Raises:
        PinnlabError: shapes or times that do not match, or a threshold outside of its range.
    """
    p, u = _pair(predicted, truth, 3)
    t = np.asarray(times, dtype=np.float64)
    if t.shape != p.shape[1:2] or np.any(np.diff(t) <= 0):
        raise PinnlabError(
            f"correlation_time: times of shape {t.shape} must rise, one for each of the "
            f"{p.shape[1]} times on the second axis of the fields"
        )
    if not -1.0 < threshold <= 1.0:
        raise PinnlabError(f"correlation_time: threshold {threshold} must be in (-1, 1]")
    rho = _correlation(p.reshape(*p.shape[:2], -1), u.reshape(*u.shape[:2], -1))
    below = rho < threshold
    fell = np.asarray(below.any(axis=1))
    after = np.where(fell, below.argmax(axis=1), t.size - 1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(rho))
    high, low = rho[rows, before], rho[rows, after]
    drop = np.where(high > low, high - low, 1.0)
    share = np.where(fell, (high - threshold) / drop, 1.0)
    return t[before] + share * (t[after] - t[before]), fell


def drift(values: Any, weights: Any) -> np.ndarray:
    r"""What a roll-out gains of a quantity that should be conserved, (N, T).

    .. math:: \frac{I(t) - I(t_0)}{\int |u(t_0)|\,dx}, \qquad I(t) = \int u(t)\,dx

    The scale is :math:`|I(t_0)|` for a field of one sign, and makes sense for one whose integral
    is zero, too. Where the field is zero at first, the change is absolute.

    Arguments:
        values: (N, T, n_1, ..., n_d); what is conserved, such as a density or an energy.
        weights: of a quadrature over space, which broadcast to (n_1, ..., n_d), such as
            ``Grid.weights``.

    Raises:
        PinnlabError: weights that do not fit the field's space.
    """
    u, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    space = u.shape[2:]
    if u.ndim < 3 or u.size == 0 or w.ndim != len(space) or _broadcast(w.shape, space) != space:
        raise PinnlabError(
            f"drift: values of shape {u.shape} are (instances, times, space ...), and weights of "
            f"shape {w.shape} must fit the space {space}"
        )
    over = tuple(range(2, u.ndim))
    total = (u * w).sum(axis=over)
    scale = (np.abs(u[:, :1]) * np.abs(w)).sum(axis=over)
    return (total - total[:, :1]) / np.where(scale == 0, 1.0, scale)


def break_even(
    training_seconds: float, solver_seconds_per_solve: float, operator_seconds_per_solve: float
) -> float:
    r"""The number of solves from which an operator has paid for its training, not rounded.

    .. math:: n = \frac{t_\text{training}}{t_\text{solver} - t_\text{operator}}

    Infinite if the solver is as fast. Fair only for a solver that is as accurate as the operator,
    and if the training's seconds include those of its data. Reference: McGreivy & Hakim, *Weak
    baselines and reporting biases lead to overoptimism in machine learning for fluid-related
    partial differential equations*, Nature Machine Intelligence 6, 2024.

    Raises:
        PinnlabError: seconds that are negative or not finite.
    """
    seconds = training_seconds, solver_seconds_per_solve, operator_seconds_per_solve
    if not all(math.isfinite(s) and s >= 0 for s in seconds):
        raise PinnlabError(f"break_even: seconds must be finite and not negative, got {seconds}")
    saved = solver_seconds_per_solve - operator_seconds_per_solve
    return training_seconds / saved if saved > 0 else math.inf


def _pair(predicted: Any, truth: Any, least: int) -> tuple[np.ndarray, np.ndarray]:
    p, u = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if p.shape != u.shape or p.ndim < least or p.size == 0:
        raise PinnlabError(
            f"scores: predicted of shape {p.shape} and truth of shape {u.shape} must be alike and "
            f"not empty, with {least} axes or more, instances on the first"
        )
    return p, u


def _broadcast(shape: tuple[int, ...], space: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(shape, space)
    except ValueError:
        return None


def _off(p: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The error; what is not finite needs no warning, as it shows in the score."""
    with np.errstate(over="ignore", invalid="ignore"):
        return p - u


def _ratio(error: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Norms over all axes but the first, one over the other; the first where the second is 0."""
    with np.errstate(over="ignore"):  # a prediction that blew up has an infinite error
        e, u = (np.linalg.norm(a.reshape(len(a), -1), axis=1) for a in (error, truth))
    return e / np.where(u == 0, 1.0, u)


def _energies(*fields: np.ndarray, dims: int, periodic: bool | Sequence[bool]) -> list[np.ndarray]:
    """Wave numbers (K,), then the energies of each field as (N, times, K)."""
    made = [spectrum(field, dims, periodic) for field in fields]
    n = len(fields[0])
    return [made[0][0], *(energy.reshape(n, -1, energy.shape[-1]) for _, energy in made)]


def _correlation(p: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Pearson's over the last axis; 0 where it has none, 1 where both are constant."""
    finite = np.isfinite(p).all(axis=-1) & np.isfinite(u).all(axis=-1)
    parts = []
    for values in (p, u):
        a = np.where(finite[..., None], values, 0.0)
        largest = np.abs(a).max(axis=-1, keepdims=True)
        a = a / np.where(largest == 0, 1.0, largest)  # a roll-out that grows may not overflow here
        a = a - a.mean(axis=-1, keepdims=True)
        size = np.linalg.norm(a, axis=-1, keepdims=True)
        # A constant up to rounding does not vary.
        noise = _NOISE * np.finfo(np.float64).eps * math.sqrt(a.shape[-1])
        parts.append(np.where(size <= noise, 0.0, a / np.where(size == 0, 1.0, size)))
    constant = finite & ~parts[0].any(axis=-1) & ~parts[1].any(axis=-1)
    return np.where(constant, 1.0, (parts[0] * parts[1]).sum(axis=-1))
