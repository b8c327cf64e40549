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

_ROOTS = np.exp(2j * np.pi * (np.arange(32) + 0.5) / 32)  # points of the circle


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


def to_modes(values: Any) -> Any:
    """Transform (K, *grid) real values to (K, *modes)."""
    return jnp.fft.rfftn(values, axes=tuple(range(1, values.ndim)))


def to_grid(spectra: Any, grid: Grid) -> Any:
    """Transform (K, *modes) back to (K, *grid) real values."""
    if spectra.ndim == 2 and len(spectra) > 1:
        return _pairwise(spectra, *grid.shape)
    return jnp.fft.irfftn(spectra, grid.shape, axes=tuple(range(1, spectra.ndim)))


def _pairwise(spectra: Any, n: int) -> Any:
    """Two real functions of one axis as the parts of a complex one: a third faster on a CPU than
    transforming each (measured for n of 32 to 4096; in two dimensions nothing is gained)."""
    count = len(spectra)
    if count % 2:
        spectra = jnp.concatenate([spectra, jnp.zeros_like(spectra[:1])])
    first, second = spectra[0::2], 1j * spectra[1::2]
    mirrored = jnp.flip(jnp.conj(first - second)[:, 1 : (n + 1) // 2], axis=1)
    both = jnp.fft.ifft(jnp.concatenate([first + second, mirrored], axis=1))
    return jnp.stack([both.real, both.imag], axis=1).reshape(-1, n)[:count]


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
    xp, count, shown = _module(linear), len(split.function.evolving), spectrum(grid)
    unit = np.eye(count, dtype=complex).reshape(count, count, *[1] * len(shown))
    own = np.broadcast_to(unit, (count, count, *shown))
    if not split.function.constrained:
        return own
    operator = [
        _combined(
            linear[row], {j: derivative(grid, split.function.slots[j][1]) for j in asked}, shown
        )
        for row in range(count, len(split.function.rows))
        for asked in (
            [j for j, s in enumerate(split.function.slots) if s[0] == n]
            for n in split.function.rows
        )
    ]
    rest = len(split.function.constrained)
    laid = xp.moveaxis(xp.stack(operator).reshape(rest, -1, *shown), (0, 1), (-2, -1))
    solved = -_pseudo_inverse(xp, laid[..., count:]) @ laid[..., :count]
    return xp.concatenate([own, xp.moveaxis(solved, (-2, -1), (0, 1))])


def symbol(split: Split, grid: Grid, linear: Any, made: Any) -> Any:
    """L(k) of each evolving variable, (evolving, *modes), complex."""

    def through(j: int, row: int) -> Any:
        name, orders = split.function.slots[j]
        return derivative(grid, orders) * made[split.function.rows.index(name), row]

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
    if _module(symbol) is jnp or _module(step) is jnp:
        return _phi_traced(symbol, step)
    z = step * symbol
    total = [np.zeros_like(z)] * 4
    for root in _ROOTS:  # one by one, which a large grid has room for
        total = [old + new for old, new in zip(total, _on_circle(np, z + root), strict=True)]
    return np.exp(z), np.exp(0.5 * z), *(step / len(_ROOTS) * new for new in total)


@jax.jit
def _phi_traced(symbol: Any, step: Any) -> tuple[Any, ...]:
    z = step * symbol
    roots = jnp.asarray(_ROOTS, z.dtype).reshape(-1, *[1] * z.ndim)
    means = [jnp.mean(term, 0) for term in _on_circle(jnp, z[None] + roots)]
    return jnp.exp(z), jnp.exp(0.5 * z), *(step * mean for mean in means)


def _on_circle(xp: ModuleType, r: Any) -> tuple[Any, ...]:
    """Q, f_1, f_2 and f_3 over the step, at points *r* away from zero."""
    whole, half = xp.exp(r), xp.exp(0.5 * r)
    return (
        (half - 1.0) / r,
        (-4.0 - r + whole * (4.0 - 3.0 * r + r**2)) / r**3,
        (2.0 + r + whole * (-2.0 + r)) / r**3,
        (-4.0 - 3.0 * r - r**2 + whole * (4.0 - r)) / r**3,
    )
