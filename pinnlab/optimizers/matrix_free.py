r"""Gauss-Newton without a matrix: conjugate gradients on products with the Jacobian.

.. math:: (J^\top J + \mu I)\,\delta = -J^\top r

One product costs about two gradients, and nothing of size N x P or P x P is stored. The iteration
is preconditioned by a randomized Nyström approximation :math:`U \Lambda U^\top` of the Gram matrix,

.. math:: M^{-1} = (\lambda_k + \mu)\,U (\Lambda + \mu I)^{-1} U^\top + (I - U U^\top)

after Frangella, Tropp & Udell, *Randomized Nyström preconditioning*, SIAM J. Matrix Anal. Appl. 44,
2023, 718-752.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.scipy.sparse.linalg import cg

from pinnlab.core.errors import PinnlabError
from pinnlab.optimizers.base import Objective, Optimizer
from pinnlab.optimizers.damping import adapted

Product = Callable[[Any], Any]


@dataclass(frozen=True)
class MatrixFree(Optimizer):
    """Gauss-Newton with adaptive damping; for networks of ten thousand parameters and more.

    Arguments:
        damping: the first mu, relative to the mean diagonal of the smaller Gram matrix.
        smallest, largest: range of mu, on the same scale.
        rank: of the preconditioner; costs as many products each time it is made, and rank x P
            numbers.
        refresh: steps between two preconditioners.
        tolerance: of the residual of the linear system, relative to the gradient.
        iterations: most products in a step.
        chunk: steps compiled into one call.

    Raises:
        PinnlabError: a rank, refresh or iterations below one.
    """

    damping: float = 1e-3
    smallest: float = 1e-12
    largest: float = 1e6
    rank: int = 50
    refresh: int = 10
    tolerance: float = 1e-2
    iterations: int = 100
    chunk: int = 5

    def __post_init__(self) -> None:
        if min(self.rank, self.refresh, self.iterations) < 1:
            raise PinnlabError(
                "optimizer: rank, refresh and iterations must be at least 1; "
                f"got {self.rank}, {self.refresh} and {self.iterations}"
            )

    def init(self, params: Any) -> Any:
        flat = ravel_pytree(params)[0]
        rank = min(self.rank, flat.size)
        return {
            "mu": jnp.asarray(self.damping, flat.dtype),
            "growth": jnp.asarray(2.0, flat.dtype),
            "count": jnp.zeros((), jnp.int32),
            "vectors": jnp.zeros((flat.size, rank), flat.dtype),
            "values": jnp.zeros(rank, flat.dtype),
            "trace": jnp.ones((), flat.dtype),
        }

    def memory(self, rows: int, parameters: int, itemsize: int) -> int:
        """The state, and while the preconditioner is made three more of its size."""
        making = 3 * parameters * min(self.rank, parameters)
        return super().memory(rows, parameters, itemsize) + making * itemsize

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        flat, unravel = ravel_pytree(params)

        def rows_at(theta: Any) -> Any:
            return objective.rows(unravel(theta), batch, weights)

        rows, forward = jax.linearize(rows_at, flat)
        transposed = jax.linear_transpose(forward, flat)

        def gram(v: Any) -> Any:
            return transposed(forward(v))[0]

        loss, slope = jnp.vdot(rows, rows), transposed(rows)[0]
        vectors, values, trace = lax.cond(
            state["count"] % self.refresh == 0,
            lambda count: nystrom(gram, count, flat, self.rank),
            lambda _: (state["vectors"], state["values"], state["trace"]),
            state["count"],
        )
        mu = state["mu"] * trace / min(rows.size, flat.size)
        step, _ = cg(
            lambda v: gram(v) + mu * v,
            -slope,
            tol=self.tolerance,
            maxiter=self.iterations,
            M=preconditioner(vectors, values, mu),
        )
        moved = forward(step)
        # |r|^2 - |r + J d|^2, which an inexact d promises too
        promised = -2.0 * jnp.vdot(slope, step) - jnp.vdot(moved, moved)
        trial = rows_at(flat + step)
        decrease = loss - jnp.vdot(trial, trial)
        good, damping = adapted(state, decrease, promised, loss, self.smallest, self.largest)
        new = damping | {
            "count": state["count"] + 1,
            "vectors": vectors,
            "values": values,
            "trace": trace,
        }
        return unravel(jnp.where(good, flat + step, flat)), new, loss


def nystrom(gram: Product, seed: Any, like: Any, rank: int) -> tuple[Any, Any, Any]:
    """Leading vectors (P, rank) and values (rank,) of a Gram matrix, and an estimate of its trace.

    A product with ``rank`` random orthonormal directions, shifted by the size of its rounding for
    stability and factored; algorithm 2.1 of Frangella, Tropp & Udell.
    """
    rank = min(rank, like.size)
    noise = jax.random.normal(jax.random.key(seed), (like.size, rank), like.dtype)
    directions = jnp.linalg.qr(noise)[0]
    image = lax.map(gram, directions.T).T
    trace = jnp.vdot(directions, image) * (like.size / rank)
    shift = jnp.finfo(like.dtype).eps * jnp.linalg.norm(image)
    image = image + shift * directions
    core = directions.T @ image
    lower = jnp.linalg.cholesky(0.5 * (core + core.T))
    factor = jax.scipy.linalg.solve_triangular(lower, image.T, lower=True).T
    vectors, singular, _ = jnp.linalg.svd(factor, full_matrices=False)
    values = jnp.maximum(singular**2 - shift, 0.0)
    sound = jnp.all(jnp.isfinite(vectors))  # else none: the iteration goes on without
    return jnp.where(sound, vectors, 0.0), jnp.where(sound, values, 0.0), trace


def preconditioner(vectors: Any, values: Any, mu: Any) -> Product:
    """The map v -> M^-1 v of the Nyström approximation; the identity where it holds nothing."""
    weights = (values[-1] + mu) / (values + mu) - 1.0
    return lambda v: v + vectors @ (weights * (vectors.T @ v))
