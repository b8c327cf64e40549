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

from pinnlab.core.domain import Domain
from pinnlab.core.field import Orders
from pinnlab.solvers.split import Split

Shape = tuple[int, ...]
_CONTOUR_POINTS = 32


def _module(values: Any) -> ModuleType:
    return jnp if isinstance(values, jax.core.Tracer) else np


def modes(domain: Domain, shape: Shape) -> list[np.ndarray]:
    """Integer mode numbers of each space axis, of shapes that broadcast; the last axis is half."""
    found = []
    for i, n in enumerate(shape):
        last = i == len(shape) - 1
        number = np.arange(n // 2 + 1) if last else np.fft.fftfreq(n, 1.0 / n)
        found.append(number.reshape([-1 if j == i else 1 for j in range(len(shape))]))
    return found


def derivative(domain: Domain, shape: Shape, orders: Orders) -> np.ndarray:
    r"""The symbol :math:`(ik)^\alpha` over all modes, complex."""
    total = np.ones(spectrum(shape), complex)
    numbers = dict(zip(domain.space, zip(modes(domain, shape), shape, strict=True), strict=True))
    for axis, order in orders:
        number, n = numbers[axis]
        turned = (2j * np.pi / domain[axis].length * number) ** order
        total = total * np.where((order % 2 == 1) & (2 * np.abs(number) == n), 0.0, turned)
    return total


def spectrum(shape: Shape) -> Shape:
    """The shape of the real transform of a grid."""
    return (*shape[:-1], shape[-1] // 2 + 1)


def kept(domain: Domain, shape: Shape, fraction: float) -> np.ndarray:
    """Which modes dealiasing keeps: below *fraction* of the highest, along every axis."""
    keep = np.ones(spectrum(shape), bool)
    if fraction < 1.0:
        for number, n in zip(modes(domain, shape), shape, strict=True):
            keep = keep & (np.abs(number) < 0.5 * fraction * n)
    return keep


def states(split: Split, domain: Domain, shape: Shape, linear: Any) -> Any:
    """Each variable's spectrum from those of the evolving ones, (rows, evolving, *modes).

    The constraints A c + B v = 0 are solved mode by mode; where A is singular (the mean of a
    stream function) the solution of least norm is taken, which has zero mean.
    """
    xp, count = _module(linear), len(split.evolving)
    shown = spectrum(shape)
    own = np.broadcast_to(np.eye(count).reshape(count, count, *[1] * len(shown)),
                          (count, count, *shown)).astype(complex)
    if not split.constrained:
        return own
    operator = xp.stack([
        sum(
            (linear[row, j] * derivative(domain, shape, orders)
             for j, (name, orders) in enumerate(split.slots) if name == column),
            np.zeros(shown, complex),
        )
        for row in range(count, len(split.rows))
        for column in split.rows
    ])
    rest = len(split.constrained)
    operator = xp.moveaxis(operator.reshape(rest, -1, *shown), (0, 1), (-2, -1))
    a, b = operator[..., count:], operator[..., :count]
    solved = -_pseudo_inverse(xp, a) @ b
    return xp.concatenate([own, xp.moveaxis(solved, (-2, -1), (0, 1))])


def _pseudo_inverse(xp: ModuleType, a: Any) -> Any:
    if a.shape[-1] > 1:
        return xp.linalg.pinv(a)
    safe = xp.where(a == 0, 1.0, a)  # a double where: the derivative of 1/0 must not appear
    return xp.where(a == 0, 0.0, 1.0 / safe)


def symbol(split: Split, domain: Domain, shape: Shape, linear: Any, made: Any) -> Any:
    """L(k) of each evolving variable, (evolving, *modes), complex."""
    rows = []
    for row, _ in enumerate(split.evolving):
        total = np.zeros(spectrum(shape), complex)
        for j in split.taken[row]:
            name, orders = split.slots[j]
            through = made[split.rows.index(name), row]
            total = total + linear[row, j] * derivative(domain, shape, orders) * through
        rows.append(total)
    return _module(linear).stack(rows)


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
