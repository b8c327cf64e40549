r"""Intervals of learned parameters by the Gauss-Newton (Laplace) approximation.

With the weighted rows' Jacobian J at the end of a training, L = |r|^2 and a loss whose data part
is :math:`w N^{-1}\sum (\Delta/\sigma)^2`, the covariance of all parameters is

.. math:: C = s^2\,\frac{w}{N_{\mathrm{eff}}}\,(J^\top J)^{-1}

where :math:`s^2` is the mean square of the data rows and :math:`N_{\mathrm{eff}} = N(1-\rho)/(1+\rho)`
counts rows that are correlated along time with lag-one correlation :math:`\rho` (Bayley & Hammersley,
1946). Ends are those of +-1.96 standard deviations of the free parameter, mapped back. With several
seeds the spread over seeds is added to the variance.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from pinnlab.core.parameters import from_free
from pinnlab.terms import DataTerm, Problem
from pinnlab.train import Trainer
from pinnlab.train.compiled import Compiled

_RIDGE = 1e-12  # of the mean diagonal; directions of the network that no row sees
_NORMAL_95 = 1.96


def intervals(problem: Problem, trainer: Trainer, params: Any) -> dict[str, tuple]:
    """(value, lower, upper) of each learned parameter in SI; arrays for a profile's knots."""
    if not problem.learned:
        return {}
    many = trainer.seeds > 1
    each = [jax.tree.map(lambda a, i=i: a[i], params) if many else params for i in range(trainer.seeds)]
    moments = [_free_moments(problem, trainer, p) for p in each]
    free = np.stack([m for m, _ in moments])
    variance = np.mean([v for _, v in moments], axis=0) + (free.var(axis=0) if many else 0.0)
    middle, half = free.mean(axis=0), _NORMAL_95 * np.sqrt(variance)
    _, unravel = ravel_pytree(each[0]["equation"])
    ends = [unravel(jnp.asarray(x)) for x in (middle, middle - half, middle + half)]
    known = problem.equation.parameters()

    def si(tree: Any, name: str) -> np.ndarray:
        leaf = jax.tree.leaves(tree[name])[0]
        return np.asarray(from_free(leaf, known[name].bounds))

    return {name: tuple(si(end, name) for end in ends) for name in problem.learned}


def _free_moments(problem: Problem, trainer: Trainer, params: Any) -> tuple[np.ndarray, np.ndarray]:
    """Value and variance of the free equation parameters of one seed."""
    compiled = Compiled(problem, trainer.phases[-1], trainer.weights, 1, np.array([trainer.seed]))
    state = compiled.start(0, params, None)
    _, jacobian = jax.jit(problem.jacobian)(params, state["batch"], state["weights"])
    names = [term.name for term in problem.terms if isinstance(term, DataTerm)]
    rows = np.concatenate([np.ravel(problem.raw(n, params, state["batch"][n])) for n in names])
    count = rows.size * _independent(rows)
    scale = float(np.mean(rows**2)) * float(np.mean([state["weights"][n] for n in names])) / count
    gram = np.asarray(jacobian.T @ jacobian)
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / gram.shape[0]
    value, _ = ravel_pytree(params["equation"])
    size = value.size  # "equation" precedes "network" in the flattened order
    inverse = np.linalg.solve(gram, np.eye(gram.shape[0], size))
    return np.asarray(value), scale * np.diag(inverse[:size])


def _independent(rows: np.ndarray) -> float:
    """The share of independent rows among correlated ones."""
    centred = rows - rows.mean()
    rho = float(np.sum(centred[1:] * centred[:-1]) / max(np.sum(centred**2), 1e-300))
    return (1.0 - rho) / (1.0 + rho) if rho > 0 else 1.0


