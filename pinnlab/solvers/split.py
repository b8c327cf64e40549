r"""The linear part of an evolution equation, found from its own right-hand side.

A dry run lists the slots that ``rhs`` asks for (u, u_x, ...). With them ``rhs`` is a pointwise
function F of the slots s, and near a base state

.. math:: F(s) = \sum_j c_j s_j + N(s), \qquad c_j = \partial F/\partial s_j(s_0)

Slots whose :math:`\partial F/\partial s_j` is the same everywhere are purely linear; the
nonlinear part never has to see them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.staging import now_in_double
from pinnlab.core.trace import Slot
from pinnlab.equations.base import Equation
from pinnlab.solvers.slots import Pointwise, pointwise

_RAYS, _HIGHEST_DEGREE = 8, 6
_TOLERANCE = 1e-11  # relative; derivatives of F are good to 1e-15


@dataclass(frozen=True)
class Split:
    """How the right-hand side falls into a linear and a nonlinear part; static and hashable.

    Arguments:
        function: the right-hand side F of its slots.
        base: the state (one number a slot) at which the linear part is taken.
        taken: for each evolving variable the indices of the slots whose term is linear.
        needed: the indices of the slots that the nonlinear part asks for.
        degree: polynomial degree of F; None if it is no polynomial.
    """

    function: Pointwise
    base: tuple[float, ...]
    taken: tuple[tuple[int, ...], ...]
    needed: tuple[int, ...]
    degree: int | None


def split(equation: Equation) -> tuple[Split, Any]:
    """Take the right-hand side of *equation* apart: the structure, and c as (rows, slots).

    c is NumPy in double precision. Where parameters are traced (inside ``jax.grad`` or
    ``vmap``), c is traced too, and the structure is found with generic numbers in their place.

    Raises:
        PinnlabError: a variable of order 2, a derivative in time or of a function of the field
            inside ``rhs``, no finite derivative at the base states tried, the highest
            derivative of a variable times a coefficient that varies, or a constraint that is
            not linear and homogeneous with constant coefficients.
    """
    function = pointwise(equation)
    with now_in_double():
        samples = _sample(_generic(equation), function)
    found = _analyse(samples, function, type(equation).__name__)
    if not traced(equation):
        return found, samples.at_base[0]
    base = jnp.asarray(found.base, jnp.result_type(float))
    middle = {a: jnp.asarray(0.5 * (x.lower + x.upper)) for a, x in equation.domain.items}
    return found, jax.jacfwd(partial(function.at, equation))(base, middle)


def traced(equation: Equation) -> bool:
    """Whether any parameter of *equation* is being traced by JAX."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(equation))


def _generic(equation: Equation) -> Equation:
    """*equation* in double precision, with ordinary numbers in place of traced parameters."""
    random = np.random.default_rng(1)

    def draw(leaf: Any, a: float, b: float) -> Any:
        if isinstance(leaf, jax.core.Tracer):
            share = random.uniform(0.5, 1.0, leaf.shape)
            return a + share * (b - a) if math.isfinite(b - a) else np.clip(share, a, b)
        inexact = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
        return np.asarray(leaf, float) if inexact else leaf

    changes = {
        name: jax.tree.map(partial(draw, a=p.bounds[0], b=p.bounds[1]), getattr(equation, name))
        for name, p in equation.parameters().items()
    }
    held = {f.name: getattr(equation, f.name) for f in dataclasses.fields(equation)}  # type: ignore[arg-type]
    inner = {name: _generic(own) for name, own in held.items() if isinstance(own, Equation)}
    return dataclasses.replace(equation, **inner, **changes)  # type: ignore[type-var]


@dataclass(frozen=True)
class _Samples:
    """F and dF/ds along random rays from a base state, each ray at coordinates of its own.

    Arguments:
        base: (slots,) the base state.
        states: (steps, rays, slots), the base state first.
        rows: (steps, rays, rows) F there.
        jacobian: (steps, rays, rows, slots) dF/ds there.
    """

    base: np.ndarray
    states: np.ndarray
    rows: np.ndarray
    jacobian: np.ndarray

    @property
    def at_base(self) -> np.ndarray:
        """(rays, rows, slots): dF/ds at the base state, at each ray's coordinates."""
        return self.jacobian[0]


def _sample(equation: Equation, function: Pointwise) -> _Samples:
    """Follow the rays from zero or, where ``rhs`` is singular there, from another state."""
    random, variables = np.random.default_rng(0), equation.variables
    points = {a: random.uniform(x.lower, x.upper, _RAYS) for a, x in equation.domain.items}
    scale = np.array([_magnitude(equation, slot) for slot in function.slots])
    rays = scale * random.uniform(-1.0, 1.0, (_RAYS, len(function.slots)))
    along = np.linspace(0.0, 1.0, _HIGHEST_DEGREE + 2)[:, None, None] * rays
    for share in (0.0, 1.0):
        value = {n: share * (variables[n].offset or variables[n].scale) for n in variables}
        base = np.array([0.0 if orders else value[name] for name, orders in function.slots])
        rows, jacobian = _probe(equation, base + along, points, function)
        if np.all(np.isfinite(jacobian[0])):
            return _Samples(base, base + along, np.asarray(rows), np.asarray(jacobian))
    raise PinnlabError(
        f"{type(equation).__name__}.rhs has no finite derivative where its variables are zero, "
        "nor at their offset (or scale): give the variables an offset where it has"
    )


@partial(jax.jit, static_argnames="function")
def _probe(equation: Equation, states: Any, points: Mapping[str, Any], function: Pointwise) -> Any:
    def one(state: Any, point: Mapping[str, Any]) -> Any:
        return function.at(equation, state, point), jax.jacfwd(
            lambda s: function.at(equation, s, point)
        )(state)

    return jax.vmap(jax.vmap(one), in_axes=(0, None))(states, points)


def _magnitude(equation: Equation, slot: Slot) -> float:
    name, orders = slot
    size = equation.variables[name].scale
    return size / math.prod(equation.domain[axis].natural_scale ** k for axis, k in orders)


def _analyse(samples: _Samples, function: Pointwise, kind: str) -> Split:
    slots, count = function.slots, len(function.evolving)
    every = samples.jacobian.reshape(-1, *samples.jacobian.shape[2:])
    c, constant, affine = samples.at_base[0], _same(samples.at_base), _same(every)
    used = np.max(np.abs(samples.at_base), axis=0) > 0
    for row, name in enumerate(function.evolving):
        _refuse_varying(kind, name, slots, used[row], constant[row])
    rest = samples.rows - np.einsum("ij,srj->sri", c, samples.states)
    for row, name in enumerate(function.constrained, count):
        if not affine[row].all() or np.any(
            np.abs(rest[..., row]) > _TOLERANCE * np.max(np.abs(samples.rows[..., row]))
        ):
            raise PinnlabError(
                f"the constraint of '{name}' in {kind}.rhs is not linear, homogeneous and with "
                "constant coefficients, so it cannot be solved by its Fourier symbol: use the "
                "method of lines"
            )
    source = _sources(function, c)
    taken = tuple(
        tuple(
            j
            for j, (variable, _) in enumerate(slots)
            if constant[row, j] and c[row, j] != 0 and source[variable] == {name}
        )
        for row, name in enumerate(function.evolving)
    )
    needed = tuple(
        j
        for j in range(len(slots))
        if any(
            not affine[row, j] or (c[row, j] != 0 and j not in taken[row]) for row in range(count)
        )
    )
    base, degree = tuple(samples.base.tolist()), _degree(samples.rows[..., :count])
    return Split(function, base, taken, needed, degree)


def _same(found: np.ndarray) -> np.ndarray:
    """Which entries do not vary along the first axis; NaN (a state outside F's domain) does."""
    with np.errstate(invalid="ignore"):
        return np.ptp(found, axis=0) <= _TOLERANCE * np.max(np.abs(found), axis=0)


def _refuse_varying(
    kind: str, name: str, slots: tuple[Slot, ...], used: np.ndarray, constant: np.ndarray
) -> None:
    """The stiffest term must be in the linear part, or the step would be as short as explicit."""
    own = [j for j, (variable, _) in enumerate(slots) if variable == name and used[j]]
    total = {j: sum(order for _, order in slots[j][1]) for j in own}
    top = max(total.values(), default=0)
    for j in own:
        if total[j] == top and not constant[j]:
            what = name + "_" * bool(top) + "".join(axis * k for axis, k in slots[j][1])
            raise PinnlabError(
                f"the coefficient of {what} in {kind}.rhs varies in space or time: an "
                "exponential integrator needs a constant one; use the method of lines"
            )


def _sources(function: Pointwise, c: np.ndarray) -> dict[str, set[str]]:
    """For each variable the evolving variables that it is made of."""
    rows = range(len(function.evolving), len(function.rows))
    asked = {n for row in rows for j, (n, _) in enumerate(function.slots) if c[row, j] != 0}
    made = asked & set(function.evolving)
    return {n: {n} if n in function.evolving else made for n in function.rows}


def _degree(along: np.ndarray) -> int | None:
    """The least d for which the differences of order d + 1 of F along rays vanish."""
    size = np.max(np.abs(along))
    for d in range(_HIGHEST_DEGREE + 1):
        rounding = _TOLERANCE * 2.0**d * size
        if np.all(np.abs(np.diff(along, d + 1, axis=0)) <= rounding):
            return d
    return None
