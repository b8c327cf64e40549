r"""The linear part of an evolution equation, found from its own right-hand side.

A dry run lists the slots that ``rhs`` asks for (u, u_x, ...). With them ``rhs`` is a pointwise
function F of the slots s, and near a base state

.. math:: F(s) = \sum_j c_j s_j + N(s), \qquad c_j = \partial F/\partial s_j(s_0)

Slots whose :math:`\partial F/\partial s_j` is the same everywhere are purely linear; the
nonlinear part never has to see them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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

_SAMPLES = 8
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

    def jacobian(self, equation: Equation, state: Any, coordinates: Mapping[str, Any]) -> Any:
        """dF/ds, shape (rows, slots), at one point and the slots' values *state*."""

        def stacked(s: Any) -> Any:
            rows = self.evaluate(equation, list(s), coordinates)
            return jnp.stack([jnp.asarray(row, s.dtype) for row in rows])

        return jax.jacfwd(stacked)(state)

    def linear(self, equation: Equation) -> Any:
        """The coefficients c, shape (rows, slots): NumPy in double precision where the
        parameters are numbers, traced where they are."""
        if traced(equation):
            return self._linear(equation)
        with _double():
            return np.asarray(self._linear(_generic(equation)))

    def _linear(self, equation: Equation) -> Any:
        middle = {a: jnp.asarray(0.5 * (x.lower + x.upper)) for a, x in equation.domain.items}
        return self.jacobian(equation, jnp.asarray(self.base, jnp.result_type(float)), middle)


def split(equation: Equation) -> Split:
    """Take the right-hand side of *equation* apart.

    Where parameters are traced (inside ``jax.grad`` or ``vmap``), the structure is found with
    generic numbers in their place.

    Raises:
        PinnlabError: a variable of order 2, a derivative in time or of a function of the field
            inside ``rhs``, no finite derivative at the base states tried, the highest
            derivative of a variable times a coefficient that varies, or a constraint that is
            not linear and homogeneous with constant coefficients.
    """
    bare = _bare(equation)
    with _double():
        return _analyse(_Samples(_generic(equation), bare), bare)


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


@contextmanager
def _double() -> Iterator[None]:
    """At once and in double precision, whatever is traced or set outside."""
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        yield


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
        name: jax.tree.map(partial(draw, a=known.bounds[0], b=known.bounds[1]),
                           getattr(equation, name))
        for name, known in equation.parameters().items()
    }
    return equation.replace(**changes)


class _Samples:
    """dF/ds at the base state and at random states, each at random coordinates."""

    def __init__(self, equation: Equation, bare: Split):
        self.equation, self.bare = equation, bare
        random = np.random.default_rng(0)
        self.points = {
            axis: jnp.asarray(random.uniform(a.lower, a.upper, _SAMPLES))
            for axis, a in equation.domain.items
        }
        scale = np.array([_magnitude(equation, slot) for slot in bare.slots])
        size = (_SAMPLES, len(bare.slots))
        for base in self._bases():
            at_base = self._jacobians(np.broadcast_to(base, size))
            if np.all(np.isfinite(at_base)):
                break
        else:
            raise PinnlabError(
                f"{type(equation).__name__}.rhs has no finite derivative at zero nor at "
                "offset + scale of its variables: give the variables an offset or a scale "
                "where it has"
            )
        self.base, self.at_base = tuple(float(b) for b in base), at_base
        self.states = (base + scale * random.uniform(-1.0, 1.0, size))
        self.random = self._jacobians(self.states)

    def _bases(self) -> list[np.ndarray]:
        variables, slots = self.equation.variables, self.bare.slots
        value = {n: (0.0, variables[n].offset, variables[n].offset + variables[n].scale)
                 for n in variables}
        return [np.array([0.0 if o else value[n][i] for n, o in slots]) for i in range(3)]

    def _jacobians(self, states: np.ndarray) -> np.ndarray:
        def one(state: Any, point: Any) -> Any:
            return self.bare.jacobian(self.equation, state, point)

        return np.asarray(jax.vmap(one)(jnp.asarray(states), self.points))

    def constant(self) -> np.ndarray:
        """(rows, slots): the coefficient at the base state does not depend on the coordinates."""
        return self._same(self.at_base)

    def affine(self) -> np.ndarray:
        """(rows, slots): the coefficient depends on neither the state nor the coordinates."""
        return self._same(np.concatenate([self.at_base, self.random]))

    def _same(self, found: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # a state outside the domain of F is simply not linear
            return np.ptp(found, axis=0) <= _TOLERANCE * np.max(np.abs(found), axis=0)

    def rows(self, factor: float) -> np.ndarray:
        """F at the first random states, taken *factor* times as far from the base state."""
        base = np.array(self.base)
        states = (base + factor * (self.states - base))

        def one(state: Any, point: Any) -> Any:
            rows = self.bare.evaluate(self.equation, list(state), point)
            return jnp.stack([jnp.asarray(row, state.dtype) for row in rows])

        return np.asarray(jax.vmap(one)(jnp.asarray(states), self.points))


def _magnitude(equation: Equation, slot: Slot) -> float:
    name, orders = slot
    size = equation.variables[name].scale
    return size / math.prod(equation.domain[axis].natural_scale ** k for axis, k in orders)


def _analyse(samples: _Samples, bare: Split) -> Split:
    kind, slots, evolving = type(samples.equation).__name__, bare.slots, bare.evolving
    c, constant, affine = samples.at_base[0], samples.constant(), samples.affine()
    used = np.max(np.abs(samples.at_base), axis=0) > 0
    for row, name in enumerate(evolving):
        _refuse_varying(kind, name, slots, used[row], constant[row])
    for row, name in enumerate(bare.constrained, len(evolving)):
        if not affine[row].all() or np.any(samples.rows(0.0)[:, row]):
            raise PinnlabError(
                f"the constraint of '{name}' in {kind}.rhs is not linear, homogeneous and with "
                "constant coefficients, so it cannot be solved by its Fourier symbol"
            )
    source = _sources(bare, c)
    taken = tuple(
        tuple(
            j
            for j, (variable, _) in enumerate(slots)
            if constant[row, j] and c[row, j] != 0 and source[variable] == {name}
        )
        for row, name in enumerate(evolving)
    )
    needed = tuple(
        j
        for j in range(len(slots))
        if any(
            not affine[row, j] or (c[row, j] != 0 and j not in taken[row])
            for row in range(len(evolving))
        )
    )
    base = tuple(samples.base)
    degree = _degree(samples, len(evolving))
    return Split(evolving, bare.constrained, slots, base, taken, needed, degree)


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


def _degree(samples: _Samples, evolving: int, highest: int = 6) -> int | None:
    """The least d for which the differences of order d + 1 of F along rays vanish."""
    values = [samples.rows(k / (highest + 1))[:, :evolving] for k in range(highest + 2)]
    size = np.max(np.abs(values))
    for d, _ in itertools.islice(enumerate(values), highest + 1):
        rounding = _TOLERANCE * 2.0**d * size
        if np.all(np.abs(np.diff(values, d + 1, axis=0)) <= rounding):
            return d
    return None
