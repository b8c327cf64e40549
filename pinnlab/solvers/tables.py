"""Tables of an approximation and of its residual, as fine as these are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.pointfield import PointField
from pinnlab.equations.base import Equation
from pinnlab.solvers.discretisation import evolving
from pinnlab.solvers.errorequation import sides_of

Approximation = Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]
Arrays = dict[str, np.ndarray]
_FIRST = 33  # nodes of an axis at first
_MOST = {0: 4097, 1: 1025, 2: 65}  # nodes of an axis, by the number of space axes
_ROOM = 2**18  # nodes of a table in space and time
_MISFIT = {"values": 0.02, "residual": 0.1}  # that is allowed, see :func:`misfit`
_STEADY = 4096  # unknowns that the steady solver takes
_CHUNK = 4096  # points evaluated at once


class Tables:
    """Tables of the approximation, its residual and whatever the conditions ask for."""

    def __init__(self, equation: Equation, approximation: Approximation, params: Any):
        self.equation, self.params = equation, params
        slots, domain = equation.slots(), equation.domain
        names = equation.variables.names

        def at(params: Any, point: Mapping[str, Any]) -> dict[str, Any]:
            f = PointField(lambda x: approximation(params, x), point, domain, names, slots)
            made = {n: f(n) for n in names}
            made |= {f"{n}:residual": side for n, side in equation.residual(f).items()}
            for n in names:
                made |= {f"{n}:{axis}": f(n, **{axis: 1}) for axis in sloped(equation, n)}
            rate = {str(domain.time): 1}
            return made | {f"{n}:rate": f(n, **rate) for n in evolving(equation, 2)}

        self._all = jax.jit(jax.vmap(at, in_axes=(None, 0)))
        self._last: tuple[Mapping[str, int], Arrays] = {}, {}

    def __call__(self, counts: Mapping[str, int]) -> Arrays:
        """By name the (*counts) table; those that were asked for last are kept."""
        if counts != self._last[0]:
            self._last = dict(counts), self._made(counts)
        return self._last[1]

    def _made(self, counts: Mapping[str, int]) -> Arrays:
        domain = self.equation.domain
        nodes = [
            np.linspace(*ends(self.equation, a), n, endpoint=not domain[a].periodic)
            for a, n in counts.items()
        ]
        flat = [g.reshape(-1) for g in np.meshgrid(*nodes, indexing="ij")]
        size, parts = flat[0].size, []
        for i in range(0, size, _CHUNK):
            here = [column[i : i + _CHUNK] for column in flat]
            full = [np.pad(c, (0, _CHUNK - c.size), mode="edge") for c in here]
            columns = {a: jnp.asarray(c) for a, c in zip(counts, full, strict=True)}
            parts.append(jax.tree.map(np.asarray, self._all(self.params, columns)))
        shape = tuple(counts.values())
        return {
            name: np.concatenate([p[name] for p in parts])[:size].reshape(shape)
            for name in parts[0]
        }


def first_counts(equation: Equation) -> dict[str, int]:
    """The nodes of each axis to begin with."""
    return {a: _FIRST - equation.domain[a].periodic for a in equation.domain.axes}


def resolved(
    equation: Equation, tables: Tables, counts: dict[str, int], share: float = 1.0
) -> tuple[dict[str, int], Arrays, float]:
    """Counts of nodes that resolve the approximation and its residual, tables, and a misfit.

    The residual may be missed by *share* of what is usual.
    """
    while True:
        found = tables(counts)
        values = [found[n] for n in equation.variables]
        residuals = [found[f"{n}:residual"] for n in equation.variables]
        missed = {
            axis: (misfit(values, dim), misfit(residuals, dim)) for dim, axis in enumerate(counts)
        }
        over = {
            a: max(v / _MISFIT["values"], r / (share * _MISFIT["residual"]))
            for a, (v, r) in missed.items()
        }
        finer = finer_counts(equation, counts, over)
        if finer == counts:
            return counts, found, max(r for _, r in missed.values())
        counts = finer


def finer_counts(
    equation: Equation, counts: dict[str, int], misfits: Mapping[str, float]
) -> dict[str, int]:
    """Twice the intervals of the axes whose misfit is above one, as far as that is affordable.

    The worst one is served first.
    """
    domain, finer = equation.domain, dict(counts)
    room = _ROOM if domain.time is not None else _STEADY // len(equation.variables)
    for axis in sorted(misfits, key=lambda a: -misfits[a]):
        more = 2 * counts[axis] - (not domain[axis].periodic)
        within = math.prod({**finer, axis: more}.values()) <= room
        if misfits[axis] > 1.0 and more <= _MOST[len(domain.space)] and within:
            finer[axis] = more
    return finer


def misfit(tables: Sequence[np.ndarray], dim: int) -> float:
    """What a cubic through every second node misses at the others, over the table's own size."""
    worst = 0.0
    for table in tables:
        if not np.isfinite(table).all():
            return math.inf
        even, odd = (np.moveaxis(table, dim, 0)[i::2] for i in (0, 1))
        count = len(even) - 3
        inner = [even[i : i + count] for i in range(4)]
        guess = (9.0 * (inner[1] + inner[2]) - inner[0] - inner[3]) / 16.0
        missed = np.sqrt(np.mean((guess - odd[1 : 1 + count]) ** 2))
        size = np.sqrt(np.mean(table**2))
        worst = max(worst, float(missed / size) if size else 0.0)
    return worst


def sloped(equation: Equation, name: str) -> list[str]:
    """The axes along which a condition asks for the slope of a variable."""
    asked = (c for c, _ in sides_of(equation) if name in c.values and not c.fixes_value)
    return list(dict.fromkeys(c.axis for c in asked))


def ends(equation: Equation, axis: str) -> tuple[float, float]:
    """The bounds of an axis."""
    return equation.domain[axis].lower, equation.domain[axis].upper
