"""Differentiation and interpolation matrices of grids, in NumPy double precision.

Matrices are (rows, n): they map the values at n nodes to a derivative (or, of order 0, to the
value) at other places.
"""

from __future__ import annotations

import numpy as np


def fornberg(at: float, nodes: np.ndarray, order: int) -> np.ndarray:
    """Weights on *nodes* of the derivative of *order* at *at*, exact for polynomials.

    Fornberg, *SIAM Review* 40, 1998, 685-691.
    """
    n = len(nodes)
    weights = np.zeros((n, order + 1))
    weights[0, 0] = 1.0
    product, last = 1.0, nodes[0] - at
    for i in range(1, n):
        highest = min(i, order)
        growing, before, last = 1.0, last, nodes[i] - at
        for j in range(i):
            gap = nodes[i] - nodes[j]
            growing *= gap
            if j == i - 1:
                for k in range(highest, 0, -1):
                    change = k * weights[i - 1, k - 1] - before * weights[i - 1, k]
                    weights[i, k] = product * change / growing
                weights[i, 0] = -product * before * weights[i - 1, 0] / growing
            for k in range(highest, 0, -1):
                weights[j, k] = (last * weights[j, k] - k * weights[j, k - 1]) / gap
            weights[j, 0] = last * weights[j, 0] / gap
        product = growing
    return weights[:, order]


def local(targets: np.ndarray, n: int, order: int, central: int, closure: int) -> np.ndarray:
    """Stencils between uniform grids of spacing 1, with one-sided closures near the ends.

    Arguments:
        targets: (m,) places, in units of the spacing, where node j is at j.
        n: number of nodes.
        central: nodes of a central stencil.
        closure: nodes of the stencil at the end, taken where a central one does not fit.
    """
    matrix = np.zeros((len(targets), n))
    for row, at in enumerate(targets):
        first = round(at - (central - 1) / 2 + 1e-9)
        width = central
        if first < 0 or first + central > n:
            width, first = closure, (0 if first < 0 else n - closure)
        columns = np.arange(first, first + width)
        matrix[row, columns] = fornberg(at, columns.astype(float), order)
    return matrix


def circular(targets: np.ndarray, n: int, order: int, central: int) -> np.ndarray:
    """As :func:`local` on a periodic grid, where every stencil is central."""
    matrix = np.zeros((len(targets), n))
    for row, at in enumerate(targets):
        columns = round(at - (central - 1) / 2 + 1e-9) + np.arange(central)
        np.add.at(matrix[row], columns % n, fornberg(at, columns.astype(float), order))
    return matrix


def extended(targets: np.ndarray, n: int, order: int, central: int, closure: int) -> np.ndarray:
    """Central stencils everywhere, on values extrapolated beyond the ends.

    The leading error is then the same smooth function up to the ends, and a difference of the
    result does not lose an order there, as it does with other one-sided stencils.
    """
    beyond = central // 2
    place = np.arange(-beyond, n + beyond, dtype=float)
    inside = local(place, n, 0, 1, closure)
    return local(targets + beyond, len(place), order, central, central) @ inside


def chebyshev_nodes(n: int) -> np.ndarray:
    """The n Gauss-Lobatto points on [-1, 1], ascending, symmetric to the last digit."""
    return np.sin(np.pi * np.arange(1 - n, n, 2) / (2 * (n - 1)))


def chebyshev(n: int, order: int) -> np.ndarray:
    """The derivative matrix on :func:`chebyshev_nodes`.

    Welfert's recursion with the diagonal from the sum of each row (Baltensperger & Trummer,
    *SIAM J. Sci. Comput.* 24, 2003, 1465-1487); differences of nodes from products of sines.
    """
    if order == 0:
        return np.eye(n)
    angle = np.pi * np.arange(n, dtype=np.longdouble) / (2 * (n - 1))
    i, j = np.meshgrid(angle, angle, indexing="ij")
    gap = 2 * np.sin(i + j) * np.sin(i - j)  # x_i - x_j
    np.fill_diagonal(gap, 1.0)
    sign = (-1.0) ** np.arange(n, dtype=np.longdouble)
    sign[[0, -1]] *= 2
    ratio = np.outer(sign, 1 / sign)
    matrix = np.eye(n, dtype=np.longdouble)
    for k in range(1, order + 1):
        matrix = k / gap * (ratio * np.diag(matrix)[:, None] - matrix)
        np.fill_diagonal(matrix, 0.0)
        np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix.astype(float)


def barycentric(nodes: np.ndarray, weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The (m, n) matrix of barycentric interpolation, exact at the nodes."""
    gap = points[:, None] - nodes[None, :]
    hit = gap == 0
    terms = weights / np.where(hit, 1.0, gap)
    terms = np.where(hit.any(axis=1, keepdims=True), hit, terms)
    return terms / terms.sum(axis=1, keepdims=True)


def trigonometric(n: int, shift: np.ndarray) -> np.ndarray:
    """The (m, n) matrix of trigonometric interpolation; *shift* in units of the spacing."""
    angle = np.pi * ((shift[:, None] - np.arange(n)) / n)
    angle = angle - np.pi * np.round(angle / np.pi)  # both kernels have period pi
    hit = np.abs(angle) < 1e-15
    safe = np.where(hit, 1.0, angle)
    below = np.tan(safe) if n % 2 == 0 else np.sin(safe)
    return np.where(hit, 1.0, np.sin(n * safe) / (n * below))


def polynomial(n: int, at: np.ndarray, degree: int) -> np.ndarray:
    """The (m, n) matrix of local polynomial interpolation between nodes 0, 1, ..., n - 1."""
    count = min(degree + 1, n)
    first = np.clip(np.round(at - (count - 1) / 2).astype(int), 0, n - count)
    return _spread(at, first, np.arange(count), n, count, wrap=False)


def polynomial_periodic(n: int, at: np.ndarray, degree: int) -> np.ndarray:
    """As :func:`polynomial`, around a periodic axis."""
    count = min(degree + 1, n)
    first = np.round(at - (count - 1) / 2).astype(int)
    return _spread(at, first, np.arange(count), n, count, wrap=True)


def _spread(
    at: np.ndarray, first: np.ndarray, nodes: np.ndarray, n: int, count: int, wrap: bool
) -> np.ndarray:
    weights = lagrange(nodes.astype(float), at - first)
    columns = first[:, None] + nodes
    matrix = np.zeros((len(at), n))
    np.put_along_axis(matrix, columns % n if wrap else columns, weights, axis=1)
    return matrix


def lagrange(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The (m, count) weights of the polynomial through *nodes*; nodes (count,) or (m, count)."""
    nodes = np.broadcast_to(nodes, (len(at), np.shape(nodes)[-1]))
    gap = nodes[:, :, None] - nodes[:, None, :]
    own = np.eye(nodes.shape[1], dtype=bool)
    top = np.where(own, 1.0, (at[:, None] - nodes)[:, None, :])
    return np.prod(top / np.where(own, 1.0, gap), axis=2)
