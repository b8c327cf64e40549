r"""Intervals of learned parameters by the Gauss-Newton (Laplace) approximation.

Each source of rows k (data, residual, prior) counts by its own mean square :math:`s_k^2` and its
number of independent rows :math:`n_k`, so that the precision of all parameters is

.. math:: H = \sum_k \frac{n_k}{N_k s_k^2} J_k^\top J_k,

with priors taken as they are stated. Errors are correlated along time: for each place
:math:`n = N/\tau`, :math:`\tau = 1 + 2\sum_l\rho_l` summed while positive (Geyer, *Statistical
Science* 7, 1992). The residual's rows are not given more weight than the data's number of
independent ones. The 95 % interval is :math:`\pm1.96` standard deviations of the free parameter,
mapped back; with several seeds their variance is added. It does not cover an error of the
equation itself or of the observations' places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from pinnlab.core.parameters import from_free
from pinnlab.terms import DataTerm, PriorTerm, Problem
from pinnlab.train import Trainer
from pinnlab.train.compiled import Compiled

_RIDGE = 1e-12  # of the mean diagonal; for directions of the network that no row sees
_NORMAL_95 = 1.96


def intervals(problem: Problem, trainer: Trainer, params: Any) -> dict[str, tuple]:
    """(value, lower, upper) of each learned parameter in SI; arrays for a profile's knots."""
    if not problem.learned:
        return {}
    compiled = Compiled(
        problem, trainer.phases[-1], trainer.weights, trainer.fresh, np.array([trainer.seed])
    )
    rows = jax.jit(lambda p, batch: rows_and_slopes(problem, p, batch))
    members = []
    for i in range(trainer.seeds):
        one = jax.tree.map(lambda a, i=i: a[i], params) if trainer.seeds > 1 else params
        batch = compiled.start(0, one, None)["batch"]
        members.append((one, variance(problem, rows(one, batch), batch, one)))
    return combined(problem, members)


def combined(problem: Problem, members: Sequence[tuple[Any, np.ndarray]]) -> dict[str, tuple]:
    """The intervals of one or several seeds, each with its parameters and their variances."""
    free = [np.asarray(ravel_pytree(one["equation"])[0]) for one, _ in members]
    spread = np.mean([v for _, v in members], axis=0) + np.var(free, axis=0)
    middle, half = np.mean(free, axis=0), _NORMAL_95 * np.sqrt(spread)
    _, unravel = ravel_pytree(members[0][0]["equation"])
    ends = [unravel(jnp.asarray(x)) for x in (middle, middle - half, middle + half)]
    known = problem.equation.parameters()

    def si(tree: Any, name: str) -> np.ndarray:
        return np.asarray(from_free(jax.tree.leaves(tree[name])[0], known[name].bounds))

    return {name: tuple(si(end, name) for end in ends) for name in problem.learned}


def rows_and_slopes(problem: Problem, params: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """For each term its unweighted (N, k) rows and their (N k, P) Jacobian."""
    made = {}
    for name, columns in batch.items():
        count = next(iter(columns.values())).shape[0]
        weight = {name: jnp.asarray(float(count))}  # undoes the division by N
        flat, slopes = problem.jacobian(params, {name: columns}, weight)
        made[name] = (flat, slopes)
    return made


def variance(
    problem: Problem, made: Mapping[str, tuple], batch: Mapping[str, Any], params: Any
) -> np.ndarray:
    """The variances of the free equation parameters, from :func:`rows_and_slopes`."""
    time, terms = problem.equation.domain.time, problem.by_name
    counts = {
        name: _independent(np.asarray(made[name][0]), batch[name], time)
        for name, term in terms.items()
        if isinstance(term, DataTerm)
    }
    seen = sum(counts.values())
    size = jax.tree.reduce(lambda n, leaf: n + leaf.size, params, 0)
    precision = np.zeros((size, size))
    for name, (rows, slopes) in made.items():
        many = rows.shape[0]
        if isinstance(terms[name], PriorTerm):
            factor = 1.0
        else:
            count = counts.get(name, min(many, seen))
            factor = count / (many * float(jnp.mean(rows**2)))
        precision += factor * np.asarray(slopes.T @ slopes)
    precision[np.diag_indices_from(precision)] += _RIDGE * np.trace(precision) / size
    own = ravel_pytree(params["equation"])[0].size  # "equation" comes before "network"
    inverse = np.linalg.solve(precision, np.eye(size, own))
    return np.diag(inverse[:own])


def _independent(rows: np.ndarray, columns: Mapping[str, Any], time: str | None) -> float:
    """The number of independent rows, place by place along time."""
    if time is None:
        return float(rows.size)
    places = np.stack([np.asarray(columns[a]) for a in columns if a[0] != "_" and a != time])
    total = 0.0
    for place in np.unique(places, axis=1).T:
        here = np.all(places == place[:, None], axis=0)
        series = rows[here][np.argsort(np.asarray(columns[time])[here])]
        total += series.size / _correlation_time(series)
    return total


def _correlation_time(series: np.ndarray) -> float:
    """1 + 2 sum of the autocorrelations up to the first that is not positive."""
    if series.size < 3 or np.ptp(series) == 0:
        return 1.0
    spectrum = np.fft.rfft(series - series.mean(), 2 * series.size)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: series.size]
    correlation /= correlation[0]
    negative = np.flatnonzero(correlation <= 0)
    last = negative[0] if negative.size else series.size
    return float(1.0 + 2.0 * correlation[1:last].sum())
