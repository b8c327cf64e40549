"""Cells of meshes cut into simplices; without JAX, so that reports need not wait for it."""

from __future__ import annotations

import numpy as np


def simplices(cells: np.ndarray, dims: int) -> np.ndarray:
    """(F, dims + 1) nodes of cells of (F, k) nodes, of which -1 fills up: polygons are cut into
    fans of triangles."""
    if dims != 2 or cells.shape[1] == 3:
        return cells[(cells >= 0).all(axis=1)]
    fans = [cells[:, [0, i, i + 1]] for i in range(1, cells.shape[1] - 1)]
    made = np.concatenate(fans)
    return made[(made >= 0).all(axis=1)]
