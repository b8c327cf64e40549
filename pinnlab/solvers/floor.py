"""How far a classical solution can be trusted: its change under refinement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def self_convergence(
    solve: Callable[[int], Any], n: int, coords: Mapping[str, Any], factor: float = 1.5
) -> tuple[Any, dict[str, float]]:
    """Solve twice and compare: the finer solution, and for each variable the floor.

    The floor is the relative L2 difference (absolute, where the solution vanishes) between *n*
    and *factor* times as many points on the tensor product of *coords*; it bounds the error of
    the finer solution wherever the method converges. *solve* should tighten its tolerance in time
    with n, so that both kinds of error are seen.
    """
    coarse, fine = solve(n), solve(round(factor * n))
    first, second = coarse.on(coords), fine.on(coords)
    floor = {}
    for name, better in second.items():
        size = float(np.linalg.norm(better))
        floor[name] = float(np.linalg.norm(np.asarray(first[name]) - better)) / (size or 1.0)
    return fine, floor
