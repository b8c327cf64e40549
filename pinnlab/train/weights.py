"""Weights of the terms. Those of points are in :mod:`.attention`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.terms.base import Batch
from pinnlab.terms.mesh import listed
from pinnlab.terms.problem import Problem

_POINTS_AT_ONCE = 128  # whose slopes are held in memory


class Weighting(ABC):
    """Gives the terms' weights, once in every compiled chunk of steps; some weigh points, too.

    What it remembers lies where checkpoints keep it: among the weights, under names that begin
    with an underscore, and in the batch, as columns of a term. Both hooks for points do nothing
    here; they are pure, and ``attend`` runs inside the compiled steps.
    """

    values: Mapping[str, float]
    every: int = 0  # steps between two calls of ``attend``; 0 for a weighting of terms alone

    def init(self, problem: Problem) -> dict[str, Any]:
        """The first weights: those given, and one for the rest.

        Raises:
            PinnlabError: a term that there is not, or weights with which nothing is trained.
        """
        for name, value in self.values.items():
            choose("term (weights)", name, problem.by_name)
            if not 0.0 <= value < float("inf"):
                raise PinnlabError(f"weights.values.{name}: {value:g} is no number >= 0")
        dtype, given = jnp.result_type(float), {n: self.values.get(n, 1.0) for n in problem.by_name}
        if not any(given.values()):
            raise PinnlabError(
                f"weights.values: every term ({', '.join(given)}) has weight 0, so that nothing "
                "is trained; give at least one a positive weight"
            )
        return {name: jnp.asarray(value, dtype) for name, value in given.items()}

    @abstractmethod
    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        """The weights for the next chunk."""

    def enter(self, problem: Problem, batch: Any, before: Any = None) -> Any:
        """A new *batch* with the columns that the weighting adds; *before* is the batch that it
        replaces, None at the start of a phase."""
        return batch

    def attend(self, problem: Problem, params: Any, batch: Any, weights: Any) -> tuple[Any, Any]:
        """The batch with new weights of its points, and the weights with what is remembered."""
        return batch, weights

    def told(self, weights: Any) -> dict[str, float]:
        """What the log says of the weights' state, the worst of all seeds."""
        return {}


@dataclass(frozen=True)
class Fixed(Weighting):
    """Weights that stay: ``Fixed({"data": 10.0})``; terms not named have weight one."""

    values: Mapping[str, float] = field(default_factory=dict)

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        return weights


@dataclass(frozen=True)
class GradientNorm(Weighting):
    r"""Weights that give each term's gradient the same norm,
    :math:`\hat w_k = \sum_j\lVert\nabla L_j\rVert / \lVert\nabla L_k\rVert`, averaged over time.

    After Wang, Sankaran, Wang & Perdikaris, *An expert's guide to training physics-informed
    neural networks*, 2023, algorithm 1.
    """

    momentum: float = 0.9
    values: Mapping[str, float] = field(default_factory=dict)

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        slopes = jax.jacrev(lambda p: problem.losses(p, batch))(params)
        norms = {n: jnp.linalg.norm(ravel_pytree(slope)[0]) for n, slope in slopes.items()}
        return _balanced(norms, weights, self.momentum)


@dataclass(frozen=True)
class NeuralTangentKernel(Weighting):
    r"""Weights that give each term the same mean eigenvalue of its neural tangent kernel
    :math:`K_k = J_k J_k^\top`, so that all converge at one pace:

    .. math:: \hat w_k = \frac{\sum_j \operatorname{tr} K_j / N_j}{\operatorname{tr} K_k / N_k}

    averaged over time. The trace is taken over the number of points, since the losses are means.

    After Wang, Yu & Perdikaris, *When and why PINNs fail to train: a neural tangent kernel
    perspective*, J. Comput. Phys. 449, 2022, 110768, algorithm 1.
    """

    momentum: float = 0.9
    values: Mapping[str, float] = field(default_factory=dict)

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        traces = {name: _trace(problem, name, params, batch[name]) for name in problem.by_name}
        return _balanced(traces, weights, self.momentum)


@dataclass(frozen=True)
class ReLoBRaLo(Weighting):
    r"""Relative loss balancing with random lookback: terms that fell less than the others since
    an earlier time get more weight.

    .. math:: \hat w_k(s) = m \operatorname{softmax}_k \frac{L_k}{T\,L_k(s)}, \qquad
       w_k \leftarrow \alpha\,(\rho\, w_k + (1-\rho)\,\hat w_k(0))
       + (1-\alpha)\,\hat w_k(\text{last})

    for m terms, with :math:`\rho` one or zero at random. The paper updates at every step with
    :math:`\alpha = 0.999`; here it is once a chunk, of 100 steps for optax's methods, hence the
    smaller default.

    After Bischof & Kraus, *Multi-objective loss balancing for physics-informed deep learning*,
    arXiv:2110.09813, 2021.

    Arguments:
        momentum: alpha.
        lookback: the mean of rho; the rarer it is zero, the rarer the start is looked back to.
        temperature: T; large ones pull the weights together.
    """

    momentum: float = 0.9
    lookback: float = 0.99
    temperature: float = 0.1
    values: Mapping[str, float] = field(default_factory=dict)

    def init(self, problem: Problem) -> dict[str, Any]:
        weights = super().init(problem)
        unknown = {name: jnp.full_like(weight, jnp.nan) for name, weight in weights.items()}
        # no key: the count of updates is one, and the draws then are those of all seeds
        return {**weights, "_first": unknown, "_last": unknown, "_count": jnp.int32(0)}

    def update(self, problem: Problem, params: Any, batch: Any, weights: Any) -> Any:
        losses = problem.losses(params, batch)
        known = weights["_count"] > 0
        first, last = (
            {n: jnp.where(known, weights[key][n], losses[n]) for n in losses}
            for key in ("_first", "_last")
        )
        key = jax.random.fold_in(jax.random.key(0), weights["_count"])
        kept = jax.random.bernoulli(key, self.lookback)
        from_first, from_last = (self._pull(losses, before) for before in (first, last))
        made = {
            n: self.momentum * jnp.where(kept, weights[n], from_first[n])
            + (1.0 - self.momentum) * from_last[n]
            for n in losses
        }
        return {**made, "_first": first, "_last": losses, "_count": weights["_count"] + 1}

    def _pull(self, losses: Any, before: Any) -> dict[str, Any]:
        """The weights that the fall of the losses since *before* asks for; their mean is one."""
        tiny = jnp.finfo(jnp.result_type(float)).tiny
        fallen = jnp.stack([losses[n] / (self.temperature * before[n] + tiny) for n in losses])
        return dict(zip(losses, len(losses) * jax.nn.softmax(fallen), strict=True))


def _balanced(sizes: Mapping[str, Any], weights: Any, momentum: float) -> dict[str, Any]:
    """Weights on their way to make each term's *size* times its weight the sum of the sizes."""
    total = sum(sizes.values())
    floor = jnp.finfo(total.dtype).eps * total
    return {n: momentum * weights[n] + (1.0 - momentum) * total / (sizes[n] + floor) for n in sizes}


def _trace(problem: Problem, name: str, params: Any, columns: Batch) -> Any:
    """The squared slopes of a term's rows with respect to the parameters, a mean over points."""

    def squares(columns: Batch) -> Any:
        _, slopes = problem.jacobian(params, {name: columns}, {name: one})
        return jnp.vdot(slopes, slopes)

    one = jnp.ones((), jnp.result_type(float))
    alone = {key: column[:, None] for key, column in listed(columns).items()}
    return jnp.mean(jax.lax.map(squares, alone, batch_size=_POINTS_AT_ONCE))
