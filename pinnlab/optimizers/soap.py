r"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

For a kernel's gradient :math:`G \in R^{m \times n}`, running means :math:`L` of :math:`G G^\top`
and :math:`R` of :math:`G^\top G` with eigenvectors :math:`Q_L, Q_R`,

.. math:: G' = Q_L^\top G\,Q_R, \qquad
    W \leftarrow W - \eta\; Q_L\,\frac{\hat M'}{\sqrt{\hat V'} + \varepsilon}\,Q_R^\top

with Adam's means :math:`\hat M', \hat V'` of :math:`G'` and :math:`G'^2`. After Vyas, Morwani,
Zhao, Shapira, Brandfonbrener, Janson & Kakade, *SOAP: improving and stabilizing Shampoo using
Adam*, ICLR 2025, arXiv:2409.11321, algorithm 3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class SoapState(NamedTuple):
    """Adam's means, and for each leaf and axis the mean product and its basis (or None)."""

    count: Any
    first: Any
    second: Any
    products: Any
    bases: Any


def soap(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: float = 0.95,
    b2: float = 0.95,
    eps: float = 1e-8,
    frequency: int = 2,
    largest: int = 1024,
) -> optax.GradientTransformation:
    """SOAP as a chain of optax: preconditioned Adam, scaled by the learning rate.

    Arguments:
        learning_rate: a number or an optax schedule; 1e-3 to 3e-3, warmed up over some hundred
            steps.
        b1, b2: decay of the means; b2 also of the products.
        eps: against division by zero.
        frequency: steps between two updates of the bases; 2 to 10.
        largest: axes longer than this stay as they are. Vectors always do, which is Adam.
    """
    return optax.chain(
        scale_by_soap(b1, b2, eps, frequency, largest),
        optax.scale_by_learning_rate(learning_rate),
    )


def scale_by_soap(
    b1: float = 0.95, b2: float = 0.95, eps: float = 1e-8, frequency: int = 2, largest: int = 1024
) -> optax.GradientTransformation:
    """The transformation inside of :func:`soap`, whose arguments it takes."""

    def turned(size: int, leaf: Any) -> bool:
        return leaf.ndim > 1 and size <= largest

    def init(params: Any) -> SoapState:
        leaves = jax.tree.leaves(params)

        def square(make: Any) -> tuple:
            return tuple(
                tuple(make(n, leaf.dtype) if turned(n, leaf) else None for n in leaf.shape)
                for leaf in leaves
            )

        return SoapState(
            count=jnp.zeros((), jnp.int32),
            first=optax.tree.zeros_like(params),
            second=optax.tree.zeros_like(params),
            products=square(lambda n, dtype: jnp.zeros((n, n), dtype)),
            bases=square(lambda n, dtype: jnp.eye(n, dtype=dtype)),
        )

    def update(grads: Any, state: SoapState, params: Any = None) -> tuple[Any, SoapState]:
        leaves, structure = jax.tree.flatten(grads)
        count = state.count + 1
        products = tuple(
            tuple(_mean(p, _product(g, axis), b2) for axis, p in enumerate(there))
            for g, there in zip(leaves, state.products, strict=True)
        )
        bases = jax.lax.cond(
            state.count == 0,
            lambda: jax.tree.map(lambda p: jnp.linalg.eigh(p)[1][:, ::-1], products),
            lambda: jax.lax.cond(
                state.count % frequency == 0,
                lambda: jax.tree.map(lambda p, q: jnp.linalg.qr(p @ q)[0], products, state.bases),
                lambda: state.bases,
            ),
        )
        first = [_mean(m, g, b1) for m, g in zip(jax.tree.leaves(state.first), leaves, strict=True)]
        second, updates = [], []
        for g, m, v, q in zip(leaves, first, jax.tree.leaves(state.second), bases, strict=True):
            second.append(_mean(v, _into(g, q) ** 2, b2))
            mean = _into(m, q) / _unbiased(b1, count, m.dtype)
            size = jnp.sqrt(second[-1] / _unbiased(b2, count, m.dtype))
            updates.append(_back(mean / (size + eps), q))
        means, squares = (jax.tree.unflatten(structure, each) for each in (first, second))
        made = SoapState(count, means, squares, products, bases)
        return jax.tree.unflatten(structure, updates), made

    return optax.GradientTransformation(init, update)


def _mean(old: Any, new: Any, decay: float) -> Any:
    return None if old is None else decay * old + (1.0 - decay) * new


def _unbiased(decay: float, count: Any, dtype: Any) -> Any:
    return 1.0 - jnp.asarray(decay, dtype) ** count


def _product(g: Any, axis: int) -> Any:
    """G G' along one axis, summed over the others."""
    flat = jnp.moveaxis(g, axis, 0).reshape(g.shape[axis], -1)
    return flat @ flat.T


def _into(g: Any, bases: Any) -> Any:
    """The coordinates of *g* in the bases of its axes."""
    for axis, q in enumerate(bases):
        if q is not None:
            g = jnp.moveaxis(jnp.tensordot(g, q, axes=(axis, 0)), -1, axis)
    return g


def _back(g: Any, bases: Any) -> Any:
    """The tensor whose coordinates are *g*."""
    return _into(g, [None if q is None else q.T for q in bases])
