r"""The linear part of an evolution equation, found from its own right-hand side.

A dry run lists the slots that ``rhs`` asks for (u, u_x, ...). With them ``rhs`` is a pointwise
function F of the slots s, and near a base state

.. math:: F(s) = \sum_j c_j s_j + N(s), \qquad c_j = \partial F/\partial s_j(s_0)

Slots whose :math:`\partial F/\partial s_j` is the same everywhere are purely linear; the
nonlinear part never has to see them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.domain import Domain
from pinnlab.core.errors import PinnlabError
from pinnlab.core.field import Field, Orders
from pinnlab.core.trace import Slot, record
from pinnlab.equations.base import Equation

_RAYS, _HIGHEST_DEGREE = 8, 6
_TOLERANCE = 1e-11  # relative; derivatives of F are good to 1e-15


class SlotField(Field):
    """A field that answers each slot from a given array; it cannot differentiate further."""

    def __init__(
        self,
        values: Mapping[Slot, Any],
        coordinates: Mapping[str, Any],
        domain: Domain,
        names: tuple[str, ...],
    ):
        self.domain, self.names = domain, names
        self._values, self._coordinates = values, coordinates

    @property
    def coordinates(self) -> Mapping[str, Any]:
        return self._coordinates

    def derivative(self, name: str, orders: Orders) -> Any:
        return self._values[(name, orders)]

    def differentiate(self, what: Callable[[Field], Any], orders: Orders) -> Any:
        raise PinnlabError("the derivative of a function of the field has no Fourier symbol")


@dataclass(frozen=True)
class Split:
    """How the right-hand side falls into a linear and a nonlinear part; static and hashable.

    Arguments:
        evolving, constrained: the variables of order 1 and of order 0.
        slots: everything that ``rhs`` asks for.
        base: the state (one number a slot) at which the linear part is taken.
        taken: for each evolving variable the indices of the slots whose term is linear.
        needed: the indices of the slots that the nonlinear part asks for.
        degree: polynomial degree of the nonlinear part; None if it is no polynomial.
    """

    evolving: tuple[str, ...]
    constrained: tuple[str, ...]
    slots: tuple[Slot, ...]
    base: tuple[float, ...]
    taken: tuple[tuple[int, ...], ...]
    needed: tuple[int, ...]
    degree: int | None

    @property
    def rows(self) -> tuple[str, ...]:
        """The variables in the order of the rows of F: evolving, then constrained."""
        return self.evolving + self.constrained

    def evaluate(self, equation: Equation, values: Any, coordinates: Mapping[str, Any]) -> list:
        """F: the rows of ``rhs`` at *values*, one for each slot."""
        known = dict(zip(self.slots, values, strict=True))
        field = SlotField(known, coordinates, equation.domain, equation.variables.names)
        sides = equation.rhs(field)
        return [sides[name] for name in self.rows]

    def stacked(self, equation: Equation, state: Any, coordinates: Mapping[str, Any]) -> Any:
        """F at one point, (rows,), where *state* holds a number for each slot."""
        rows = self.evaluate(equation, list(state), coordinates)
        return jnp.stack([jnp.asarray(row, state.dtype) for row in rows])


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
    bare = _bare(equation)
    with _at_once(), jax.enable_x64(True):
        samples = _sample(_generic(equation), bare)
    found = _analyse(samples, bare, equation)
    if not traced(equation):
        return found, samples.at_base[0]
    base = jnp.asarray(found.base, jnp.result_type(float))
    middle = {a: jnp.asarray(0.5 * (x.lower + x.upper)) for a, x in equation.domain.items}
    return found, jax.jacfwd(partial(found.stacked, equation))(base, middle)


def traced(equation: Equation) -> bool:
    """Whether any parameter of *equation* is being traced by JAX."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(equation))


def _bare(equation: Equation) -> Split:
    """The slots and rows, before anything is known of linearity."""
    kind, domain, variables = type(equation).__name__, equation.domain, equation.variables
    seen = record(equation.rhs, domain, variables.names)
    if seen.nested:
        raise PinnlabError(
            f"{kind}.rhs differentiates a function of the field, which has no Fourier symbol: "
            "expand the flux by the product rule, or use the method of lines"
        )
    for name, orders in seen.slots:
        if domain.time in dict(orders):
            raise PinnlabError(f"{kind}.rhs asks for a derivative of '{name}' in time")
    order = {name: variables[name].order for name in variables}
    for name in (n for n in order if order[n] == 2):
        raise PinnlabError(
            f"'{name}' of {kind} has order 2 in time: write it as two variables of order 1, or "
            "use the method of lines"
        )
    evolving = tuple(n for n in order if order[n] == 1)
    if not evolving:
        raise PinnlabError(f"{kind} has no variable of order 1: nothing evolves in time")
    slots = tuple(seen.slots)
    rest = tuple(n for n in order if order[n] == 0)
    return Split(evolving, rest, slots, (0.0,) * len(slots), (), (), None)


def _at_once() -> AbstractContextManager[None]:
    """Compute now, even while JAX traces a function around; it compiles more slowly there."""
    staged = isinstance(jnp.zeros(()), jax.core.Tracer)
    return jax.ensure_compile_time_eval() if staged else nullcontext()


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
    return equation.replace(**changes)


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


def _sample(equation: Equation, bare: Split) -> _Samples:
    """Follow the rays from zero or, where ``rhs`` is singular there, from another state."""
    random, variables = np.random.default_rng(0), equation.variables
    points = {a: random.uniform(x.lower, x.upper, _RAYS) for a, x in equation.domain.items}
    scale = np.array([_magnitude(equation, slot) for slot in bare.slots])
    rays = scale * random.uniform(-1.0, 1.0, (_RAYS, len(bare.slots)))
    along = np.linspace(0.0, 1.0, _HIGHEST_DEGREE + 2)[:, None, None] * rays
    for share in (0.0, 1.0):
        value = {n: share * (variables[n].offset or variables[n].scale) for n in variables}
        base = np.array([0.0 if orders else value[name] for name, orders in bare.slots])
        rows, jacobian = _probe(equation, base + along, points, bare)
        if np.all(np.isfinite(jacobian[0])):
            return _Samples(base, base + along, np.asarray(rows), np.asarray(jacobian))
    raise PinnlabError(
        f"{type(equation).__name__}.rhs has no finite derivative where its variables are zero, "
        "nor at their offset (or scale): give the variables an offset where it has"
    )


@partial(jax.jit, static_argnames="bare")
def _probe(equation: Equation, states: Any, points: Mapping[str, Any], bare: Split) -> Any:
    def one(state: Any, point: Mapping[str, Any]) -> Any:
        return bare.stacked(equation, state, point), jax.jacfwd(
            lambda s: bare.stacked(equation, s, point)
        )(state)

    return jax.vmap(jax.vmap(one), in_axes=(0, None))(states, points)


def _magnitude(equation: Equation, slot: Slot) -> float:
    name, orders = slot
    size = equation.variables[name].scale
    return size / math.prod(equation.domain[axis].natural_scale ** k for axis, k in orders)


def _analyse(samples: _Samples, bare: Split, equation: Equation) -> Split:
    kind, slots, count = type(equation).__name__, bare.slots, len(bare.evolving)
    every = samples.jacobian.reshape(-1, *samples.jacobian.shape[2:])
    c, constant, affine = samples.at_base[0], _same(samples.at_base), _same(every)
    used = np.max(np.abs(samples.at_base), axis=0) > 0
    for row, name in enumerate(bare.evolving):
        _refuse_varying(kind, name, slots, used[row], constant[row])
    rest = samples.rows - np.einsum("ij,srj->sri", c, samples.states)
    for row, name in enumerate(bare.constrained, count):
        if not affine[row].all() or np.any(
            np.abs(rest[..., row]) > _TOLERANCE * np.max(np.abs(samples.rows[..., row]))
        ):
            raise PinnlabError(
                f"the constraint of '{name}' in {kind}.rhs is not linear, homogeneous and with "
                "constant coefficients, so it cannot be solved by its Fourier symbol: use the "
                "method of lines"
            )
    source = _sources(bare, c)
    taken = tuple(
        tuple(
            j
            for j, (variable, _) in enumerate(slots)
            if constant[row, j] and c[row, j] != 0 and source[variable] == {name}
        )
        for row, name in enumerate(bare.evolving)
    )
    needed = tuple(
        j
        for j in range(len(slots))
        if any(
            not affine[row, j] or (c[row, j] != 0 and j not in taken[row]) for row in range(count)
        )
    )
    base, degree = tuple(samples.base.tolist()), _degree(samples.rows[..., :count])
    return replace(bare, base=base, taken=taken, needed=needed, degree=degree)


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


def _sources(bare: Split, c: np.ndarray) -> dict[str, set[str]]:
    """For each variable the evolving variables that it is made of."""
    rows = range(len(bare.evolving), len(bare.rows))
    asked = {n for row in rows for j, (n, _) in enumerate(bare.slots) if c[row, j] != 0}
    made = asked & set(bare.evolving)
    return {n: {n} if n in bare.evolving else made for n in bare.rows}


def _degree(along: np.ndarray) -> int | None:
    """The least d for which the differences of order d + 1 of F along rays vanish."""
    size = np.max(np.abs(along))
    for d in range(_HIGHEST_DEGREE + 1):
        rounding = _TOLERANCE * 2.0**d * size
        if np.all(np.abs(np.diff(along, d + 1, axis=0)) <= rounding):
            return d
    return None
