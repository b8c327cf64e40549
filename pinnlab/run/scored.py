"""What is said of an operator beside its error: bands, other resolutions, and when it pays."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from pinnlab.core import scores
from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.precision import precision
from pinnlab.models.operatorreading import OperatorReading, predicted
from pinnlab.solvers.classical import Classical
from pinnlab.solvers.pairs import Pairs, timed
from pinnlab.terms.base import Term
from pinnlab.train import Phase

Arrays = Mapping[str, np.ndarray]

_TRANSFER = 32  # members at another resolution
_TIMED = 64  # members in a batch whose seconds are taken


def bands(values: Arrays, truth: Arrays, grid: Grid, dtype: str) -> dict[str, Any]:
    """Relative errors by wave number, where the nodes of space are equidistant; means over the
    members. Bands that *dtype*, the operator's, cannot tell from rounding have none."""
    domain, space = grid.domain, grid.domain.space
    if not space or not all(grid[a][1].equidistant for a in space):
        return {}
    made = {}
    for name in truth:
        periodic = [domain[a].periodic for a in space]
        true = np.asarray(truth[name], dtype)
        found = scores.band_errors(values[name], true, len(space), periodic=periodic)
        with np.errstate(invalid="ignore"):
            each = [float(np.nanmean(b)) if np.isfinite(b).any() else None for b in found.bands.T]
        made[name] = {"edges": list(found.edges), "relative_l2": each}
    return made


def seconds_per_solve(reading: OperatorReading, pairs: Pairs) -> float:
    """Of one member in a batch, compiled before."""
    with precision(reading.dtype):
        inputs = pairs.sample(jax.random.key(2), _TIMED)
        params = jax.tree.map(lambda a: a[0], reading.params) if reading.seeds > 1 else None
        one = reading if params is None else replace(reading, seeds=1, params=params)
        jax.block_until_ready(predicted(one, pairs.family, pairs.grid, inputs))
        begun = time.perf_counter()
        jax.block_until_ready(predicted(one, pairs.family, pairs.grid, inputs))
        return (time.perf_counter() - begun) / _TIMED


def drawing(terms: Sequence[Term], phase: Phase, seconds_per_step: float) -> dict[str, float]:
    """Seconds of making the members of a step, their share of the whole training step, and what
    was made before the training."""

    def drawn(key: Any) -> Any:
        return [t.draw(key, max(1, round(phase.points * t.share)), True) for t in terms]

    key = jax.random.key(0)
    program = jax.jit(drawn).lower(key).compile()
    jax.block_until_ready(program(key))
    begun = time.perf_counter()
    jax.block_until_ready(program(key))
    own = (time.perf_counter() - begun) / (phase.resample or phase.steps)
    before = sum(getattr(getattr(t, "drawn", None), "seconds", 0.0) for t in terms)
    share = own / seconds_per_step
    return {"seconds_per_step": own, "share_of_training": share, "seconds_before": before}


def paid(
    pairs: Pairs,
    reading: OperatorReading,
    inputs: Arrays,
    truth: Arrays,
    error: float,
    seconds: float,
    own: float,
) -> dict[str, Any]:
    """``classical``, the cheapest classical solver that is as accurate as the operator, and
    ``break_even``, how many solves pay for the training (None: never).

    Both compute in the operator's precision and in batches of the same size. Nothing where even the
    experiment's own solver is less accurate.

    Arguments:
        error: of the operator.
        seconds: of its training.
        own: of one of its solves.
    """
    rival = _as_accurate(pairs, inputs, truth, error, reading.dtype)
    if rival is None:
        return {}
    solver, per_solve, reached = rival
    said = {"solver": str(solver), "seconds_per_solve": per_solve, "relative_l2": reached}
    count = scores.break_even(seconds, per_solve, own)
    return {"classical": said, "break_even": count if np.isfinite(count) else None}


def _as_accurate(
    pairs: Pairs, inputs: Arrays, truth: Arrays, error: float, dtype: str
) -> tuple[Classical, float, float] | None:
    """The fastest of the coarser and coarser solvers whose error is at most *error*."""
    solver: Classical | None = pairs.solver
    given = {k: np.asarray(v[:_TIMED], dtype) for k, v in inputs.items()}
    best = None
    with precision(dtype):
        while solver is not None:
            try:
                found, seconds = timed(replace(pairs, solver=solver), given)
            except PinnlabError:  # too coarse for the times that are asked for
                break
            true = {n: v[:_TIMED].reshape(found[n].shape) for n, v in truth.items()}
            reached = max(float(scores.relative_l2(found[n], true[n]).mean()) for n in true)
            if not reached <= error:
                break
            if best is None or seconds < best[1]:
                best = (solver, seconds, reached)
            solver = solver.coarsened()
    return None if best is None else (best[0], best[1] / len(next(iter(given.values()))), best[2])


def transfer(
    pairs: Pairs, reading: OperatorReading, names: Sequence[str], factors: Sequence[float]
) -> dict[str, float]:
    """Errors on grids of other sizes, of the same functions sampled there."""
    made = {}
    for factor in factors:
        other = resized(pairs, factor)
        with precision("float64"):
            inputs = other.sample(jax.random.key(3), _TRANSFER)
            truth, _ = timed(replace(other, solver=other.solver.refined()), inputs)
        found = reading(inputs, other.grid)
        label = "x".join(map(str, other.grid.shape))
        made[label] = max(float(scores.relative_l2(found[n], truth[n]).mean()) for n in names)
    return made


def resized(pairs: Pairs, factor: float) -> Pairs:
    """The same on grids of *factor* times as many points."""
    family = replace(pairs.family, grid=pairs.family.grid.refined(factor))
    return replace(pairs, family=family, grid=pairs.grid.refined(factor))
