r"""A separable network with scaling and exact conditions, as a field on tensor products.

The exact conditions (:mod:`pinnlab.models.exact`) are affine in the network. Their linear part
acts on one axis after the other: a distance, or a correction by the values at the axis's own ends.
It is a tensor product of operators, and turns factors into factors,

.. math:: T\Bigl[\sum_r\prod_i f_i^r\Bigr] = T[0] + \sum_r\prod_i (L_i f_i^r)(x_i)

where :math:`L_i` is the transform for the homogeneous conditions of axis i alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from pinnlab.core.conditions import Condition, Initial
from pinnlab.core.errors import PinnlabError
from pinnlab.core.tensorfield import Factor, TensorField
from pinnlab.equations.base import Equation
from pinnlab.models.exact import exact_scalar
from pinnlab.networks.separable import Separable

Inputs = Callable[[str, Any], Any]  # axis and coordinate -> the network's inputs of that axis


def tensor_field(
    network: Separable,
    params: Any,
    equation: Equation,
    conditions: Sequence[Condition],
    inputs: Inputs,
    mesh: Mapping[str, Any],
    slots: Any = (),
) -> TensorField:
    """The field of a separable network on a tensor product of points.

    Arguments:
        conditions: those that hold exactly.
        inputs: gives the network's inputs of one axis.
        mesh: the coordinates (:class:`pinnlab.core.tensorfield.TensorField`).

    Raises:
        PinnlabError: a condition whose coefficients vary along another axis than its own.
    """
    domain, variables = equation.domain, equation.variables

    def factor(i: int, axis: str) -> Factor:
        def at(place: Any) -> dict[str, Any]:
            found = {}
            for k, name in enumerate(variables.names):

                def raw(x: Mapping[str, Any], k: int = k) -> Any:
                    return network.along(params, i, inputs(axis, x[axis]))[k]

                own = _along(axis, name, conditions, domain.time)
                transformed = exact_scalar(raw, name, own, domain)
                try:
                    found[name] = transformed({axis: place})
                except KeyError as error:
                    raise PinnlabError(
                        f"model.exact: a condition on '{name}' at the ends of '{axis}' has a "
                        f"coefficient that varies along {error}, which a separable network cannot "
                        "satisfy exactly on a tensor product of points; give model.exact=false"
                    ) from error
            # The product has the variable's scale once.
            return {n: variables[n].scale * v if i == 0 else v for n, v in found.items()}

        return at

    def given(x: Mapping[str, Any]) -> dict[str, Any]:
        dtype = jnp.asarray(x[domain.axes[0]]).dtype
        found = {}
        for name in variables:

            def offset(_: Mapping[str, Any], value: float = variables[name].offset) -> Any:
                return value

            found[name] = jnp.asarray(exact_scalar(offset, name, conditions, domain)(x), dtype)
        return found

    factors = {axis: factor(i, axis) for i, axis in enumerate(domain.axes)}
    needed = bool(conditions) or any(variables[name].offset for name in variables)
    return TensorField(factors, mesh, domain, variables.names, given if needed else None, slots)


def _along(
    axis: str, name: str, conditions: Sequence[Condition], time: str | None
) -> list[Condition]:
    """The conditions on a variable that act along one axis, with zero in place of their values."""
    found: list[Condition] = []
    for c in conditions:
        if name not in c.values:
            continue
        if isinstance(c, Initial):
            found += [Initial(c.order, **{name: 0.0})] if axis == time else []
        elif c.axis == axis:
            found.append(replace(c, values={name: 0.0}))
    return found
