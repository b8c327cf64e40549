"""Weights of points: columns of the batch that change with the residual while a training goes on.

They serve the terms whose points may be chosen, which is the residual; conditions and data keep
weight one at every point. Weights of a term's points have mean one, so that they move attention
within a term and leave the balance of the terms to others. They change every few steps, between
two steps of the optimizer, so that each step sees one objective. Methods that compare gradients of
successive steps, such as L-BFGS, want *every* as long as their chunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.terms.base import MEASURE, WEIGHT, Batch
from pinnlab.terms.mesh import count, listed
from pinnlab.terms.problem import Problem
from pinnlab.train.weights import Weighting

_LEVEL = "_attention"  # the column of lambda
_PAIRS_AT_ONCE = 128  # points whose distances to all others are held in memory


@dataclass(frozen=True)
class ResidualAttention(Weighting):
    r"""Weights that follow each point's own residual over time (RBA).

    .. math:: \lambda_i \leftarrow \gamma\,\lambda_i + \eta\,\frac{|r_i|}{\max_j |r_j|},
       \qquad a_i = \lambda_i^2 / \overline{\lambda^2}

    The weights begin at one. When points are redrawn, a new point takes the :math:`\lambda` of
    the nearest old one, with the domain's axes scaled to length one. A new phase begins at one.

    After Anagnostopoulos, Toscano, Stergiopulos & Karniadakis, *Residual-based attention in
    physics-informed neural networks*, Comput. Methods Appl. Mech. Eng. 421, 2024, 116805.

    Arguments:
        gamma, eta: of one step; a memory of 1 / (1 - gamma) steps, and a largest lambda of
            eta / (1 - gamma). The defaults are the paper's, for first-order methods;
            Levenberg-Marquardt takes a hundredth of the steps and needs a shorter memory, such as
            0.9 and 0.1.
        every: steps between two updates, each of which stands for as many steps.
        values: given weights of terms.

    Raises:
        PinnlabError: numbers out of range.
    """

    gamma: float = 0.999
    eta: float = 0.01
    every: int = 10
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (0 < self.gamma < 1 and self.eta > 0 and self.every >= 1):
            raise PinnlabError(
                "weights: residual attention needs 0 < gamma < 1, eta > 0 and every >= 1; got "
                f"{self.gamma}, {self.eta} and {self.every}"
            )

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        return weights

    def enter(self, problem: Problem, batch: Any, before: Any = None) -> Any:
        made = dict(batch)
        for name in _chosen(problem):
            level = _ones(batch[name])
            if before is not None:
                near = _nearest(problem.equation.domain, batch[name], before[name])
                level = before[name][_LEVEL][near]
            made[name] = _with_weight({**batch[name], _LEVEL: level}, level**2)
        return made

    def attend(self, problem: Problem, params: Any, batch: Any, weights: Any) -> tuple[Any, Any]:
        kept = self.gamma**self.every
        gain = self.eta * (1.0 - kept) / (1.0 - self.gamma)  # the sum of *every* steps
        made = dict(batch)
        for name in _chosen(problem):
            size = jnp.linalg.norm(problem.raw(name, params, batch[name]), axis=1)
            largest = jnp.max(size) + jnp.finfo(size.dtype).tiny
            level = kept * batch[name][_LEVEL] + gain * size / largest
            made[name] = _with_weight({**batch[name], _LEVEL: level}, level**2)
        return made, weights


@dataclass(frozen=True)
class Causal(Weighting):
    r"""Weights that let a time be learned only when all before it are.

    .. math:: a_i \propto \exp\Bigl(-\epsilon \sum_{k < c(i)} L_k\Bigr)

    with :math:`L_k` the mean square of the residual in the k-th of equal chunks of the time that
    the batch spans, and :math:`c(i)` the chunk of a point. The tolerances :math:`\epsilon` are
    taken in turn, the next one when the last chunk's weight has reached 0.99. The log's records
    tell under ``weighting`` the tolerance, the last chunk's weight under it, and whether the last
    tolerance was ``reached``: until then the end of time has not been trained in full.

    After Wang, Sankaran & Perdikaris, *Respecting causality for training physics-informed neural
    networks*, Comput. Methods Appl. Mech. Eng. 421, 2024, 116813 (arXiv:2203.07404, 2022).

    Arguments:
        chunks: how many.
        tolerances: increasing; for residuals of order one.
        every: steps between two updates.
        values: given weights of terms.

    Raises:
        PinnlabError: numbers out of range, or an equation without time.
    """

    chunks: int = 16
    tolerances: tuple[float, ...] = (1e-2, 1e-1, 1.0, 10.0, 100.0)
    every: int = 10
    values: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.tolerances, self.tolerances[1:], strict=False))
        if not (self.chunks >= 2 and self.every >= 1 and self.tolerances and rising):
            raise PinnlabError(
                "weights: causal ones need chunks >= 2, every >= 1 and increasing tolerances; got "
                f"{self.chunks}, {self.every} and {list(self.tolerances)}"
            )

    def init(self, problem: Problem) -> dict[str, Any]:
        if problem.equation.domain.time is None:
            raise PinnlabError(
                f"weights: {type(problem.equation).__name__} has no time axis for causal weights"
            )
        zero = jnp.zeros((), jnp.result_type(float))
        return {**super().init(problem), "_stage": jnp.int32(0), "_last_weight": zero}

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        return weights

    def enter(self, problem: Problem, batch: Any, before: Any = None) -> Any:
        """Ones until the first step, before which ``attend`` sets them."""
        new = {n: _with_weight(batch[n], _ones(batch[n])) for n in _chosen(problem)}
        return {**batch, **new}

    def attend(self, problem: Problem, params: Any, batch: Any, weights: Any) -> tuple[Any, Any]:
        made, last = dict(batch), jnp.ones((), jnp.result_type(float))
        tolerance = jnp.asarray(self.tolerances, last.dtype)[weights["_stage"]]
        for name in _chosen(problem):
            index = self._chunk_of(listed(batch[name])[str(problem.equation.domain.time)])
            squares = jnp.sum(problem.raw(name, params, batch[name]) ** 2, axis=1)
            before = jnp.cumsum(_means(squares, index, self.chunks))[:-1]
            by_chunk = jnp.exp(-tolerance * jnp.pad(before, (1, 0)))
            last = jnp.minimum(last, by_chunk[-1])
            made[name] = _with_weight(batch[name], by_chunk[index])
        further = (last > 0.99) & (weights["_stage"] < len(self.tolerances) - 1)
        stage = weights["_stage"] + further.astype(jnp.int32)
        return made, {**weights, "_stage": stage, "_last_weight": last}

    def told(self, weights: Any) -> dict[str, float]:
        stage, last = int(jnp.min(weights["_stage"])), float(jnp.min(weights["_last_weight"]))
        final = stage == len(self.tolerances) - 1
        return {
            "tolerance": self.tolerances[stage],
            "last_weight": last,
            "reached": final and last > 0.99,
        }

    def _chunk_of(self, time: Any) -> Any:
        """The chunk of each of the (N,) times."""
        share = (time - jnp.min(time)) / (jnp.max(time) - jnp.min(time))
        return jnp.clip((share * self.chunks).astype(jnp.int32), 0, self.chunks - 1)


def _chosen(problem: Problem) -> list[str]:
    """The terms whose points are weighed."""
    return [name for name, term in problem.by_name.items() if term.adaptive]


def _ones(columns: Batch) -> Any:
    return jnp.ones(count(columns), jnp.result_type(*columns.values()))


def _with_weight(columns: Batch, weight: Any) -> Batch:
    """The columns with the (N,) *weight*, divided by its mean over the domain."""
    shares = columns.get(MEASURE, jnp.ones_like(weight))
    return {**columns, WEIGHT: weight / jnp.mean(shares * weight)}


def _means(values: Any, index: Any, chunks: int) -> Any:
    """The mean of the (N,) values of each chunk; zero where it has none."""
    counts = jnp.zeros(chunks, values.dtype).at[index].add(1.0)
    return jnp.zeros(chunks, values.dtype).at[index].add(values) / jnp.maximum(counts, 1.0)


def _nearest(domain: Domain, new: Batch, old: Batch) -> Any:
    """For each new point the index of the old one next to it."""
    axes = [axis for axis in domain.axes if axis in new]

    def scaled(columns: Batch) -> Any:
        columns = listed(columns)
        return jnp.stack([columns[axis] / domain[axis].length for axis in axes], axis=-1)

    there = scaled(old)

    def index(point: Any) -> Any:
        return jnp.argmin(jnp.sum((there - point[None]) ** 2, axis=1))

    return jax.lax.map(index, scaled(new), batch_size=_PAIRS_AT_ONCE)
