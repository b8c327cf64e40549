"""Linear finite elements for -div(a grad u) = f, with the meshes of a disc with a hole.

``python experiments/mesh/fem.py`` checks them against a manufactured solution and writes
``order.csv`` beside this file.
"""

from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve
from scipy.spatial import Delaunay

from pinnlab.core.rows import write_rows

HOLE = (0.35, 0.1, 0.3)  # centre and radius; the disc is the unit disc


def mesh(spacing, hole=HOLE, seed=0):
    """(N, 2) points, (F, 3) triangles and whether each node is on the boundary: a lattice of
    triangles, a little shaken, and evenly spaced points on both circles."""
    x, y, radius = hole
    rows = np.arange(-1.0, 1.0, spacing * np.sqrt(3) / 2)
    inner = np.array(
        [
            (c + spacing / 2 * (i % 2), row)
            for i, row in enumerate(rows)
            for c in np.arange(-1.1, 1.1, spacing)
        ]
    )
    random = np.random.default_rng(seed)
    inner = inner + random.uniform(-0.15, 0.15, inner.shape) * spacing
    from_hole = np.hypot(inner[:, 0] - x, inner[:, 1] - y) - radius
    inner = inner[np.minimum(1.0 - np.hypot(*inner.T), from_hole) > 0.6 * spacing]
    circles = []
    for cx, cy, r in ((0.0, 0.0, 1.0), hole):
        turn = np.linspace(0, 2 * np.pi, round(2 * np.pi * r / spacing), endpoint=False)
        circles.append(np.stack([cx + r * np.cos(turn), cy + r * np.sin(turn)], axis=1))
    sides = np.concatenate(circles)
    points = np.concatenate([sides, inner])
    found = Delaunay(points).simplices
    centre = points[found].mean(axis=1)
    found = found[np.hypot(centre[:, 0] - x, centre[:, 1] - y) > radius * np.cos(np.pi / 12)]
    whole = ~((found >= len(circles[0])) & (found < len(sides))).all(axis=1)  # none in the hole
    return points, found[whole], np.arange(len(points)) < len(sides)


def refined(points, faces, sides):
    """Each triangle in four; new nodes lie in the middle of edges, so that the old ones stay."""
    edges = np.sort(faces[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1)
    unique, place, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    middle = place.reshape(-1, 3) + len(points)
    a, b, c = faces.T
    d, e, f = middle.T
    made = np.concatenate(
        [np.stack(t, axis=1) for t in ((a, f, e), (f, b, d), (e, d, c), (d, e, f))]
    )
    return (
        np.concatenate([points, points[unique].mean(axis=1)]),
        made,
        np.concatenate([sides, count == 1]),
    )


def elements(points, faces):
    """(F,) areas and (F, 3, 2) gradients of the hat functions."""
    p = points[faces]
    opposite = np.roll(p, -2, axis=1) - np.roll(p, -1, axis=1)
    edge = p[:, 1:] - p[:, :1]
    double = edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]
    normal = np.stack([-opposite[..., 1], opposite[..., 0]], axis=-1)
    return np.abs(double) / 2, normal / double[:, None, None]


def solve(points, faces, sides, coefficient, source, given=0.0):
    """(N,) values; *coefficient* and *source* are (F,) values at the middles of the triangles."""
    area, slope = elements(points, faces)
    local = np.einsum("f,fid,fjd->fij", area * coefficient, slope, slope)
    rows, columns = (np.broadcast_to(a, local.shape) for a in (faces[:, :, None], faces[:, None]))
    n = len(points)
    matrix = coo_matrix((local.ravel(), (rows.ravel(), columns.ravel())), (n, n)).tocsr()
    load = np.bincount(faces.ravel(), np.repeat(area * source / 3, 3), n)
    u = np.where(sides, given, 0.0)
    free = ~sides
    u[free] = spsolve(matrix[free][:, free], (load - matrix @ u)[free])
    return u


def norm(points, faces, values):
    """The L2 norm over the mesh, exact for the squares at the middles of the edges."""
    area, _ = elements(points, faces)
    middles = (values[faces] + np.roll(values[faces], 1, axis=1)) / 2
    return np.sqrt(np.sum(area[:, None] * middles**2) / 3)


def check():
    """Rows of spacing, nodes, L2 error and order for u = sin(2x) cos(y) and a = 1 + x^2/2 + y/4."""
    rows = []
    points, faces, sides = mesh(0.3)
    for level in range(5):
        x, y = points[faces].mean(axis=1).T
        a = 1 + x**2 / 2 + y / 4
        u, ux, uy = (
            np.sin(2 * x) * np.cos(y),
            2 * np.cos(2 * x) * np.cos(y),
            -np.sin(2 * x) * np.sin(y),
        )
        source = 5 * a * u - x * ux - uy / 4
        truth = np.sin(2 * points[:, 0]) * np.cos(points[:, 1])
        found = solve(points, faces, sides, a, source, truth)
        error = norm(points, faces, found - truth) / norm(points, faces, truth)
        order = np.log2(rows[-1][2] / error) if rows else float("nan")
        rows.append((0.3 / 2**level, len(points), error, order))
        points, faces, sides = refined(points, faces, sides)
    return rows


def main():
    rows = check()
    table = [
        {"spacing": f"{h:g}", "nodes": n, "relative_l2": f"{e:.3e}", "order": f"{o:.2f}"}
        for h, n, e, o in rows
    ]
    write_rows(Path(__file__).parent / "order.csv", table)
    for row in rows:
        print(*row)
    if not all(order > 1.9 for *_, order in rows[2:]):
        raise SystemExit("the order is not 2")


if __name__ == "__main__":
    main()
