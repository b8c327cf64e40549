"""Leaves of an equation that are learned: their free forms, and the equation they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from pinnlab.core.errors import choose
from pinnlab.core.parameters import from_free, to_free
from pinnlab.equations.base import Equation


def free_of(equation: Equation, learned: Sequence[str]) -> dict[str, Any]:
    """The named parameters on the whole real line (:func:`pinnlab.core.parameters.to_free`).

    Raises:
        PinnlabError: a name that is no parameter of the equation.
    """
    known, dtype = equation.parameters(), jnp.result_type(float)
    return {
        name: jax.tree.map(
            lambda leaf, name=name: to_free(jnp.asarray(leaf, dtype), known[name].bounds),
            getattr(equation, choose("parameter (infer)", name, known)),
        )
        for name in learned
    }


def equation_with(equation: Equation, free: Mapping[str, Any]) -> Equation:
    """*equation* with the parameters that *free* stands for."""
    known = equation.parameters()
    values = {
        name: jax.tree.map(lambda leaf, name=name: from_free(leaf, known[name].bounds), tree)
        for name, tree in free.items()
    }
    return equation.replace(**values) if values else equation
