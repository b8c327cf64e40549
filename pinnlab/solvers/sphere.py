r"""ETDRK4 on the sphere: spherical harmonics in space, the waves of a layer at rest exactly.

Near the rest state :math:`\bar u` (the means of the initial values) the right-hand side is
:math:`F(u) = Lu + N(u)`, where L is one small matrix for each degree l:

.. math:: L_l = \langle Y_{l0},\, F'(\bar u)\,Y_{l0}\rangle

These are the gravity waves and the diffusion, whatever the equation; what depends on the place
(rotation, the flow) stays in N. Nobody writes L: derivatives of ``rhs`` give it. The scheme is
that of Cox & Matthews, *J. Comput. Phys.* 176, 2002, 430-455; its fixed points are those of F.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.latitudes import sphere_grid
from pinnlab.core.spherefield import SphereField, harmonics_of
from pinnlab.equations.base import Equation
from pinnlab.solvers.classical import Classical
from pinnlab.solvers.discretisation import GridDiscretisation, evolving
from pinnlab.solvers.etdrk4 import _check_finite, _counts, _integrate
from pinnlab.solvers.spheresolution import SphereSolution, sphere_solution

_POWER = 4  # of the Laplacian in the filter, as in spectral models of this size


@dataclass(frozen=True)
class Sphere(Classical):
    """ETDRK4 by spherical harmonics (:func:`solve_sphere`), on a sphere of latitude and longitude.

    Arguments:
        n_lat: Gaussian latitudes; twice as many longitudes. 32 are T21, 64 T42, 128 T85.
        steps: equal steps over the time axis; the times asked for must fall on them.
        damping: time in which the filter damps the smallest waves by e; 0 for no filter.
    """

    n_lat: int = 32
    steps: int = 480
    damping: float = 0.0

    def solve(self, equation: Equation, times: Sequence[float]) -> Any:
        return solve_sphere(equation, self.n_lat, times, self.steps, self.damping)

    def refined(self) -> Sphere:
        return replace(self, n_lat=2 * round(0.75 * self.n_lat), steps=2 * self.steps)

    def lasting(self, factor: int) -> Sphere:
        return replace(self, steps=factor * self.steps)


def solve_sphere(
    equation: Equation,
    n_lat: int,
    times: Sequence[float],
    steps: int,
    damping: float = 0.0,
    initial: Mapping[str, Any] | None = None,
) -> SphereSolution:
    """Integrate *equation* from the lower end of its time axis by *steps* equal steps.

    Pure JAX: may be mapped over parameters and initial states, and differentiated.

    Arguments:
        n_lat: latitudes of the grid, with twice as many longitudes and the truncation at which
            products of two functions do not fold back.
        times: increasing times to keep, each a whole number of steps after the start; the last
            is where the integration ends.
        damping: time, in units of the time axis, in which the filter, the eighth derivative, damps
            the smallest waves by e; the means stay. 0 for none.
        initial: for each evolving variable values on the grid, in place of the initial conditions.

    Raises:
        PinnlabError: axes that are not a sphere's, a variable of order 2 or none of order 1, a
            constraint that is not linear with constant coefficients, a negative damping, a time
            between steps, or no initial condition.
        DivergenceError: the solution left the finite numbers.
    """
    equation.check()
    grid = sphere_grid(equation.domain, n_lat, 2 * n_lat)
    _refuse(equation, damping)
    counts, step = _counts(equation.domain, times, steps)
    values = GridDiscretisation(grid).initial(equation).values if initial is None else initial
    harmonics = harmonics_of(grid)
    state = harmonics.analysis(jnp.stack([jnp.asarray(values[n]) for n in evolving(equation)]))
    stepper, constant = sphere_stepper(equation, grid, state, step, damping)
    if not isinstance(constant, jax.core.Tracer) and not bool(constant):
        raise PinnlabError(
            f"a constraint (variable of order 0) of {type(equation).__name__}.rhs is not linear "
            "with constant coefficients, which spherical harmonics need to solve it"
        )
    found = _integrate(stepper, state, counts)
    if not isinstance(next(iter(found.values())), jax.core.Tracer):
        _check_finite(equation, found, times, steps)
    statistics = {"solver": f"ETDRK4, T{harmonics.degree}", "steps": int(steps)}
    return sphere_solution(grid, harmonics.degree, np.asarray(times, float), found, statistics)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class SphereStepper:
    """One step of ETDRK4 on the sphere; a pytree.

    Arguments:
        equation: the equation; its parameters are leaves.
        grid: Gaussian latitudes and longitudes (static).
        start, step: initial time and step, in units of the time axis.
        linear: (T + 1, evolving, evolving), L.
        coefficients: E, E_2, Q, f_1, f_2, f_3, each of the shape of L.
        inverse: (T + 1, constrained, constrained), of the constraints' operator.
    """

    equation: Equation
    grid: Grid = field(metadata={"static": True})
    start: Any
    step: Any
    linear: Any
    coefficients: tuple[Any, ...]
    inverse: Any

    def __call__(self, state: Any, time: Any) -> Any:
        """The state, (evolving, T + 1, 2T + 2) harmonics, one step after *time*."""
        whole, half, q, f1, f2, f3 = (partial(_blocks, c) for c in self.coefficients)
        middle = time + 0.5 * self.step
        n = self.nonlinear(state, time)
        a = half(state) + q(n)
        n_a = self.nonlinear(a, middle)
        b = half(state) + q(n_a)
        n_b = self.nonlinear(b, middle)
        c = half(a) + q(2.0 * n_b - n)
        n_c = self.nonlinear(c, time + self.step)
        return whole(state) + f1(n) + f2(n_a + n_b) + f3(n_c)

    def nonlinear(self, state: Any, time: Any) -> Any:
        """The harmonics of N(u, t)."""
        made = self.complete(state, time)
        rate = _sides(self.equation, self.grid, made, time, evolving(self.equation))
        return rate - _blocks(self.linear, state)

    def complete(self, state: Any, time: Any) -> dict[str, Any]:
        """The harmonics of all variables, constrained ones included."""
        return _complete(self.equation, self.grid, self.inverse, state, time)

    def backward(self, state: Any) -> dict[str, Any]:
        """All variables on the grid, from a state."""
        made, harmonics = self.complete(state, self.start), harmonics_of(self.grid)
        return {name: harmonics.synthesis(made[name]) for name in self.equation.variables}


@partial(jax.jit, static_argnames=("grid", "damping"))
def sphere_stepper(
    equation: Equation, grid: Grid, state: Any, step: Any, damping: float = 0.0
) -> tuple[SphereStepper, Any]:
    """Steps of length *step* about the means of *state*, and whether the constraints are such as
    can be solved; where they are not, the steps give NaN."""
    harmonics, dtype = harmonics_of(grid), state.dtype
    start = jnp.asarray(equation.domain[str(equation.domain.time)].lower, dtype)
    step = jnp.asarray(step, dtype)
    inverse, constant = _constraints(equation, grid, state, start)
    rest = jnp.zeros_like(state).at[:, 0, 0].set(state[:, 0, 0])

    def rate(state: Any) -> Any:
        made = _complete(equation, grid, inverse, state, start)
        return _sides(equation, grid, made, start, evolving(equation))

    linear = _by_degree(jax.linearize(rate, rest)[1], state)
    share = harmonics.eigenvalues / harmonics.eigenvalues[-1]
    filtered = jnp.asarray(share**_POWER / damping if damping else 0.0 * share, dtype)
    eye = jnp.eye(len(state), dtype=dtype)
    coefficients = exponentials(linear - filtered[:, None, None] * eye[None], step)
    return SphereStepper(equation, grid, start, step, linear, coefficients, inverse), constant


def exponentials(linear: Any, step: Any) -> tuple[Any, ...]:
    r"""E, E_2, Q, f_1, f_2, f_3 of (T + 1, n, n) matrices L.

    The :math:`\varphi_k` are blocks of the exponential of an augmented matrix, without the
    cancellation of their closed forms (Al-Mohy & Higham, *SIAM J. Sci. Comput.* 33, 2011, 488-511).
    """
    balanced, size = _balanced(step * linear)

    def phi(a: Any, most: int) -> list[Any]:
        n = a.shape[-1]
        shift = jnp.kron(jnp.eye(most + 1, k=1, dtype=a.dtype), jnp.eye(n, dtype=a.dtype))
        whole = shift.at[:n, :n].set(a)
        row = jax.scipy.linalg.expm(whole)[:n]
        return [row[:, k * n : (k + 1) * n] for k in range(most + 1)]

    e, p1, p2, p3 = jax.vmap(partial(phi, most=3))(balanced)
    e_half, p1_half = jax.vmap(partial(phi, most=1))(0.5 * balanced)
    parts = (0.5 * p1_half, p1 - 3.0 * p2 + 4.0 * p3, 2.0 * p2 - 4.0 * p3, 4.0 * p3 - p2)
    made = (e, e_half, *(step * part for part in parts))
    return tuple(size[:, :, None] * m / size[:, None, :] for m in made)


def _balanced(a: Any) -> tuple[Any, Any]:
    """D^-1 A D with rows and columns of like size, since units differ by many powers of ten, and
    the diagonal of D (Osborne, *J. ACM* 7, 1960, 338-345; one sweep)."""
    size = jnp.ones(a.shape[:2], a.dtype)
    for i in range(a.shape[-1]):
        own = jnp.abs(a[:, i, i])
        row, column = (jnp.sum(jnp.abs(m), axis=1) - own for m in (a[:, i, :], a[:, :, i]))
        both = (row > 0) & (column > 0)
        factor = jnp.where(both, jnp.sqrt(row / jnp.where(both, column, 1.0)), 1.0)
        size = size.at[:, i].multiply(factor)
        a = a.at[:, :, i].multiply(factor[:, None]).at[:, i, :].divide(factor[:, None])
    return a, size


def _sides(
    equation: Equation, grid: Grid, made: Mapping[str, Any], time: Any, names: Sequence[str]
) -> Any:
    """The harmonics of the right-hand sides of *names*, of the harmonics of all variables."""
    f = SphereField.of_coefficients(grid, made, time)
    sides = equation.rhs(f)
    return jnp.stack([f.coefficients(lambda f, n=n: sides[n]) for n in names])


def _complete(equation: Equation, grid: Grid, inverse: Any, state: Any, time: Any) -> dict:
    made = dict(zip(evolving(equation), state, strict=True))
    names = _constrained(equation)
    if not names:
        return made
    none = dict.fromkeys(names, jnp.zeros_like(state[0]))
    rows = _sides(equation, grid, {**made, **none}, time, names)
    return {**made, **dict(zip(names, -_blocks(inverse, rows), strict=True))}


def _constraints(equation: Equation, grid: Grid, state: Any, time: Any) -> tuple[Any, Any]:
    """The pseudo-inverse, by degree, of the constraints R(w) = 0, and whether that is all of R."""
    names, dtype = _constrained(equation), state.dtype
    if not names:
        return jnp.zeros((0,), dtype), jnp.asarray(True)
    zero = jnp.zeros((len(names), *state.shape[1:]), dtype)
    given = dict(zip(evolving(equation), state, strict=True))

    def rows(w: Any) -> Any:
        made = {**given, **dict(zip(names, w, strict=True))}
        return _sides(equation, grid, made, time, names)

    matrix = _by_degree(jax.linearize(rows, zero)[1], zero)
    u, s, v = jnp.linalg.svd(matrix, full_matrices=False)
    kept = s > 10.0 * jnp.finfo(dtype).eps * jnp.max(s)
    small = jnp.where(kept, 1.0 / jnp.where(kept, s, 1.0), 0.0)
    inverse = jnp.einsum("lji,lj,lkj->lik", v, small, u)
    # Waves of every degree and order with the magnitudes of the variables.
    harmonics = harmonics_of(grid)
    values = jax.random.normal(jax.random.key(8), (len(names), *grid.shape), dtype)
    scale = jnp.asarray([equation.variables[name].scale for name in names], dtype)
    probe = harmonics.analysis(values * scale[:, None, None])
    right = _blocks(matrix, probe)
    apart = jnp.max(jnp.abs(rows(probe) - rows(zero) - right))
    constant = apart <= 1e5 * jnp.finfo(dtype).eps * jnp.max(jnp.abs(right))
    return jnp.where(constant, inverse, jnp.nan), constant


def _by_degree(linear: Callable[[Any], Any], like: Any) -> Any:
    """(T + 1, rows, columns): what a linear map of harmonics does to each zonal one, at its own
    degree."""
    count = len(like)

    def of(degree: Any) -> Any:
        def column(variable: Any) -> Any:
            unit = jnp.zeros_like(like).at[variable, degree, 0].set(1.0)
            return linear(unit)[:, degree, 0]

        return jax.vmap(column, out_axes=1)(jnp.arange(count))

    return jax.lax.map(of, jnp.arange(like.shape[1]))


def _blocks(matrices: Any, state: Any) -> Any:
    """The (T + 1, rows, columns) matrices of each degree on (columns, T + 1, 2T + 2) harmonics."""
    return jnp.einsum("lij,jlp->ilp", matrices, state)


def _constrained(equation: Equation) -> list[str]:
    return [name for name in equation.variables if not equation.variables[name].order]


def _refuse(equation: Equation, damping: float) -> None:
    kind = type(equation).__name__
    if evolving(equation, 2) or not evolving(equation):
        raise PinnlabError(
            f"{kind}: the solver on the sphere takes variables of order 1 in time (and 0): write "
            "one of order 2 as two of order 1"
        )
    if not damping >= 0.0:
        raise PinnlabError(f"damping is a time in which small waves decay, or 0, not {damping!r}")
