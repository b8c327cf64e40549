r"""Fourier symbols on a periodic grid, and the coefficients of an exponential integrator.

A derivative of order :math:`\alpha` becomes a product with :math:`(ik)^\alpha`; odd derivatives
are zero at the Nyquist mode, which a real grid cannot tell from its negative. Transforms are
``rfftn`` over the space axes in the domain's order.

What depends on parameters works with NumPy in double precision where they are numbers and with
``jax.numpy`` where they are traced.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.field import Orders
from pinnlab.core.grid import Grid
from pinnlab.solvers.split import Split

_CONTOUR_POINTS = 32


def _module(values: Any) -> ModuleType:
    return jnp if isinstance(values, jax.core.Tracer) else np


def modes(grid: Grid) -> dict[str, np.ndarray]:
    """Integer mode numbers of each axis, of shapes that broadcast; the last axis is half."""
    *_, last = grid.axes
    return {
        axis: grid.lay(axis, np.arange(n // 2 + 1) if axis == last else np.fft.fftfreq(n, 1.0 / n))
        for axis, _, n in grid.items
    }


def spectrum(grid: Grid) -> tuple[int, ...]:
    """The shape of the real transform over a grid."""
    return (*grid.shape[:-1], grid.shape[-1] // 2 + 1)


def derivative(grid: Grid, orders: Orders) -> np.ndarray:
    r"""The symbol :math:`(ik)^\alpha` over all modes, complex."""
    total, numbers = np.ones(spectrum(grid), complex), modes(grid)
    for name, order in orders:
        axis, _, n = grid[name]
        turned = (2j * np.pi / axis.length * numbers[name]) ** order
        nyquist = (order % 2 == 1) & (2 * np.abs(numbers[name]) == n)
        total = total * np.where(nyquist, 0.0, turned)
    return total


def kept(grid: Grid, fraction: float) -> np.ndarray:
    """Which modes dealiasing keeps: below *fraction* of the highest, along every axis."""
    keep, numbers = np.ones(spectrum(grid), bool), modes(grid)
    if fraction < 1.0:
        for axis, _, n in grid.items:
            keep = keep & (np.abs(numbers[axis]) < 0.5 * fraction * n)
    return keep


def states(split: Split, grid: Grid, linear: Any) -> Any:
    """Each variable's spectrum from those of the evolving ones, (rows, evolving, *modes).

    The constraints A c + B v = 0 are solved mode by mode; where A is singular (the mean of a
    stream function) the solution of least norm is taken, which has zero mean.
    """
    xp, count, shown = _module(linear), len(split.evolving), spectrum(grid)
    unit = np.eye(count, dtype=complex).reshape(count, count, *[1] * len(shown))
    own = np.broadcast_to(unit, (count, count, *shown))
    if not split.constrained:
        return own
    operator = [
        _combined(linear[row], {j: derivative(grid, split.slots[j][1]) for j in asked}, shown)
        for row in range(count, len(split.rows))
        for asked in ([j for j, s in enumerate(split.slots) if s[0] == n] for n in split.rows)
    ]
    rest = len(split.constrained)
    laid = xp.moveaxis(xp.stack(operator).reshape(rest, -1, *shown), (0, 1), (-2, -1))
    solved = -_pseudo_inverse(xp, laid[..., count:]) @ laid[..., :count]
    return xp.concatenate([own, xp.moveaxis(solved, (-2, -1), (0, 1))])


def symbol(split: Split, grid: Grid, linear: Any, made: Any) -> Any:
    """L(k) of each evolving variable, (evolving, *modes), complex."""

    def through(j: int, row: int) -> Any:
        name, orders = split.slots[j]
        return derivative(grid, orders) * made[split.rows.index(name), row]

    rows = [
        _combined(linear[row], {j: through(j, row) for j in taken}, spectrum(grid))
        for row, taken in enumerate(split.taken)
    ]
    return _module(linear).stack(rows)


def _combined(linear: Any, parts: dict[int, Any], shape: tuple[int, ...]) -> Any:
    """The sum of c_j times the symbol of slot j."""
    weights = linear.astype(np.result_type(linear.dtype, np.complex64))
    return sum((weights[j] * part for j, part in parts.items()), np.zeros(shape, weights.dtype))


def _pseudo_inverse(xp: ModuleType, a: Any) -> Any:
    if a.shape[-1] > 1:
        return xp.linalg.pinv(a)
    safe = xp.where(a == 0, 1.0, a)  # a double where: the derivative of 1/0 must not appear
    return xp.where(a == 0, 0.0, 1.0 / safe)


def phi(symbol: Any, step: Any) -> tuple[Any, ...]:
    r"""The six coefficients (E, E_2, Q, f_1, f_2, f_3) of ETDRK4 for u_t = L u + N.

    Means over a circle around each hL in the complex plane, where the closed forms cancel
    (Kassam & Trefethen, *SIAM J. Sci. Comput.* 26, 2005, 1214-1233). The full complex mean is
    taken: its real part alone is only right for a real symbol.
    """
    xp = np if _module(symbol) is np and _module(step) is np else jnp
    z = step * symbol
    total: list[Any] = [0.0] * 4
    for root in np.exp(2j * np.pi * (np.arange(_CONTOUR_POINTS) + 0.5) / _CONTOUR_POINTS):
        r = z + root
        whole, half = xp.exp(r), xp.exp(0.5 * r)
        terms = (
            (half - 1.0) / r,
            (-4.0 - r + whole * (4.0 - 3.0 * r + r**2)) / r**3,
            (2.0 + r + whole * (-2.0 + r)) / r**3,
            (-4.0 - 3.0 * r - r**2 + whole * (4.0 - r)) / r**3,
        )
        total = [old + new for old, new in zip(total, terms, strict=True)]
    means = [step * new / _CONTOUR_POINTS for new in total]
    return xp.exp(z), xp.exp(0.5 * z), *means
