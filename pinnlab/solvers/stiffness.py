"""Whether an explicit integrator would take longer than an implicit one: a cheap estimate."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from pinnlab.equations.base import Equation
from pinnlab.solvers.discretisation import Discretisation, State, scales, slope, untraced

_LARGEST_IMPLICIT = 4096  # unknowns: the Jacobian is dense
_IMPLICIT_STEPS = 300  # what a smooth solution takes at a tolerance of 1e-8


def is_stiff(equation: Equation, basis: Discretisation, state: State, span: float) -> bool:
    r"""Compare the evaluations of an explicit and of an implicit solve over a time *span*.

    Stability binds an explicit step to about :math:`6/\rho` with the spectral radius
    :math:`\rho` of the Jacobian, at twelve evaluations; an implicit step costs some thirty, and
    half as many as there are unknowns for the Jacobian and its factors. Where parameters are
    traced, the estimate is made with their defaults.
    """
    known = untraced(equation)
    with jax.ensure_compile_time_eval():
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(state)):
            state = basis.initial(known)
        radius = float(spectral_radius(known, state, basis))
    size = sum(leaf.size for leaf in jax.tree.leaves(state))
    explicit = 2.0 * radius * span
    return size <= _LARGEST_IMPLICIT and explicit > _IMPLICIT_STEPS * (30.0 + 0.5 * size)


@partial(jax.jit, static_argnames=("basis", "iterations"))
def spectral_radius(
    equation: Equation, state: State, basis: Discretisation, iterations: int = 40
) -> Any:
    """The spectral radius of the Jacobian of the method of lines at the start, per unit of time.

    By power iteration; the growth is averaged over the last half, where a complex pair makes it
    oscillate.
    """
    start = jnp.asarray(equation.domain[str(equation.domain.time)].lower, jnp.result_type(float))
    prepared = basis.prepare(equation, start, state)
    size = scales(equation, state)
    flat, restore = ravel_pytree(jax.tree.map(lambda a, s: a / s, state, size))

    def right(scaled: Any) -> Any:
        y = jax.tree.map(lambda a, s: a * s, restore(scaled), size)
        rate = slope(equation, basis, prepared, start, y)
        return ravel_pytree(jax.tree.map(lambda a, s: a / s, rate, size))[0]

    def one(vector: Any, _: None) -> Any:
        image = jax.jvp(right, (flat,), (vector,))[1]
        growth = jnp.linalg.norm(image)
        return image / jnp.where(growth > 0, growth, 1.0), growth

    vector = jax.random.normal(jax.random.key(0), flat.shape, flat.dtype)
    _, growth = jax.lax.scan(one, vector / jnp.linalg.norm(vector), length=iterations)
    late = growth[iterations // 2 :]
    return jnp.exp(jnp.mean(jnp.log(jnp.maximum(late, jnp.finfo(late.dtype).tiny))))
