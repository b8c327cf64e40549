r"""ETDRK4: the fourth-order exponential integrator for equations on periodic boxes.

The stiff linear part of :math:`u_t = Lu + N(u, t)` is integrated exactly in Fourier space, the
rest by four stages (Cox & Matthews, *J. Comput. Phys.* 176, 2002, 430-455; coefficients after
Kassam & Trefethen, 2005). Nobody writes L and N: :mod:`pinnlab.solvers.split` finds them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.domain import Domain
from pinnlab.core.errors import DivergenceError, PinnlabError
from pinnlab.core.grid import Fourier, Grid
from pinnlab.equations.base import Equation
from pinnlab.solvers import symbols
from pinnlab.solvers.discretisation import GridDiscretisation
from pinnlab.solvers.gridsolution import GridSolution, solution
from pinnlab.solvers.split import Split, split

_FINER = {1: 16, 2: 4}  # by the number of axes: the grid on which initial values are sampled


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)  # hashed by identity: jax.jit takes it as a function
class ETDRK4:
    """One step of ETDRK4 for one equation, grid and step; a pytree.

    Arguments:
        equation: the equation; its parameters are leaves.
        split, grid, sources: static structure; ``sources`` lists for each slot of the
            nonlinear part the evolving variables that it is made of.
        start, step: initial time and step, in units of the time axis.
        linear: (rows, slots) coefficients of the linear part.
        coefficients: E, E_2, Q, f_1, f_2, f_3, each (evolving, *modes).
        multipliers: for each of ``sources`` the dealiased symbol, (*modes).
        constraints: (constrained, evolving, *modes), the constrained variables' spectra.
    """

    equation: Equation
    split: Split = field(metadata={"static": True})
    grid: Grid = field(metadata={"static": True})
    sources: tuple[tuple[int, ...], ...] = field(metadata={"static": True})
    start: Any
    step: Any
    linear: Any
    coefficients: tuple[Any, ...]
    multipliers: tuple[tuple[Any, ...], ...]
    constraints: Any

    def forward(self, values: Mapping[str, Any]) -> Any:
        """The state: spectra of the evolving variables, (evolving, *modes)."""
        return symbols.to_modes(jnp.stack([values[name] for name in self.split.function.evolving]))

    def backward(self, state: Any) -> dict[str, Any]:
        """All variables on the grid, constrained ones included, from a state."""
        rest = jnp.sum(self.constraints * state[None], axis=1)
        grid = symbols.to_grid(jnp.concatenate([state, rest]), self.grid)
        return dict(zip(self.split.function.rows, grid, strict=True))

    def nonlinear(self, state: Any, time: Any) -> Any:
        """The transform of N(u, t), not yet dealiased."""
        known = self._needed(state)
        none = jnp.zeros((), self._real)
        slots = [known.get(j, none) for j in range(len(self.split.function.slots))]
        x = {a: jnp.asarray(c, self._real) for a, c in self.grid.coordinates.items()}
        x[str(self.equation.domain.time)] = time
        rows = self.split.function(self.equation, slots, x)[: len(self.split.function.evolving)]
        whole = [
            jnp.broadcast_to(
                row - sum(self.linear[i, j] * known[j] for j in self.split.taken[i] if j in known),
                self.grid.shape,
            )
            for i, row in enumerate(rows)
        ]
        return symbols.to_modes(jnp.stack(whole).astype(self._real))

    def __call__(self, state: Any, time: Any) -> Any:
        """The state one step after *time*."""
        whole, half, q, f1, f2, f3 = self.coefficients
        middle = time + 0.5 * self.step
        n = self.nonlinear(state, time)
        a = half * state + q * n
        n_a = self.nonlinear(a, middle)
        b = half * state + q * n_a
        n_b = self.nonlinear(b, middle)
        c = half * a + q * (2.0 * n_b - n)
        n_c = self.nonlinear(c, time + self.step)
        return whole * state + f1 * n + f2 * (2.0 * (n_a + n_b)) + f3 * n_c

    @property
    def _real(self) -> Any:
        return self.linear.dtype

    def _needed(self, state: Any) -> dict[int, Any]:
        """The slots of the nonlinear part on the grid, by one batched transform."""
        if not self.split.needed:
            return {}
        spectra = [
            sum(m * state[v] for v, m in zip(made, by, strict=True))
            for made, by in zip(self.sources, self.multipliers, strict=True)
        ]
        values = symbols.to_grid(jnp.stack(spectra), self.grid)
        return dict(zip(self.split.needed, values, strict=True))


def etdrk4(
    equation: Equation, n: int | Mapping[str, int], step: float, dealias: float | None = None
) -> ETDRK4:
    """Prepare steps of length *step* on a grid of *n* points an axis.

    Arguments:
        dealias: fraction of the modes that products keep. By default 2 / (d + 1) for a
            nonlinear part that is a polynomial of degree d (2/3 for quadratic terms), but no
            less than 1/2, which is also taken for what is no polynomial.

    Raises:
        PinnlabError: an axis that is not periodic, a bad *n* or *dealias*, or a right-hand side
            without a constant linear part (see :func:`pinnlab.solvers.split.split`).
    """
    grid = _grid(equation, n)
    parts, linear = split(equation)
    made = symbols.states(parts, grid, linear)
    keep = symbols.kept(grid, _fraction(parts.degree, dealias)).astype(complex)
    whole, half, *rest = symbols.phi(symbols.symbol(parts, grid, linear, made), step)
    real = jnp.result_type(float)
    spectral = np.result_type(real, np.complex64)
    sources, multipliers = _multipliers(parts, grid, made, keep)
    return ETDRK4(
        equation,
        parts,
        grid,
        sources,
        jnp.asarray(equation.domain[str(equation.domain.time)].lower, real),
        jnp.asarray(step, real),
        jnp.asarray(linear, real),
        tuple(jnp.asarray(c, spectral) for c in (whole, half, *[keep[None] * c for c in rest])),
        jax.tree.map(lambda m: jnp.asarray(m, spectral), multipliers),
        jnp.asarray(made[len(parts.function.evolving) :], spectral),
    )


def solve_etdrk4(
    equation: Equation,
    n: int | Mapping[str, int],
    times: Sequence[float],
    steps: int,
    dealias: float | None = None,
    initial: Mapping[str, Any] | None = None,
) -> GridSolution:
    """Integrate *equation* from the lower end of its time axis by *steps* equal steps.

    Differentiable with respect to the equation's parameters and to *initial*.

    Arguments:
        n: grid points of each space axis, one number or one for each axis.
        times: increasing times to keep, each a whole number of steps after the start; the last
            is where the integration ends.
        initial: for each evolving variable values on the grid, in place of the initial
            conditions.

    Raises:
        PinnlabError: as :func:`etdrk4`; a time between steps; no initial condition.
        DivergenceError: the solution left the finite numbers.
    """
    domain = equation.domain
    equation.check()
    counts, step = _counts(domain, times, steps)
    stepper = etdrk4(equation, n, step, dealias)
    if initial is None:
        initial = _start(equation, stepper.grid)
    values = _integrate(stepper, stepper.forward(initial), counts)
    if not isinstance(next(iter(values.values())), jax.core.Tracer):
        _check_finite(equation, values, times, steps)
    statistics = {"solver": "ETDRK4", "steps": int(steps)}
    return solution(stepper.grid, np.asarray(times, float), values, statistics=statistics)


@partial(jax.jit, static_argnames="counts")
def _integrate(stepper: ETDRK4, state: Any, counts: tuple[int, ...]) -> dict[str, Any]:
    """The variables on the grid after each of *counts* further steps, (times, *grid)."""

    def one(carry: Any, _: None) -> Any:
        state, i = carry
        return (stepper(state, stepper.start + i * stepper.step), i + 1.0), None

    def many(carry: Any, count: int) -> Any:
        carry, _ = jax.lax.scan(one, carry, length=count)
        return carry, carry[0]

    carry, saved = (state, jnp.zeros_like(stepper.step)), []
    # Equal intervals share one compiled loop, so that many output times compile like one.
    for count, equal in itertools.groupby(counts):
        repeat = partial(lambda carry, _, count: many(carry, count), count=count)
        carry, states = jax.lax.scan(repeat, carry, length=len(list(equal)))
        saved.append(states)
    return jax.lax.map(stepper.backward, jnp.concatenate(saved))


def _grid(equation: Equation, n: int | Mapping[str, int]) -> Grid:
    domain, kind = equation.domain, type(equation).__name__
    if domain.time is None or not domain.space:
        raise PinnlabError(f"{kind} needs a time axis and a space axis for ETDRK4")
    for axis in domain.space:
        if not domain[axis].periodic:
            raise PinnlabError(
                f"ETDRK4 needs periodic axes, but '{axis}' of {kind} is not: use the method of "
                f"lines, or make the axis periodic (domain.{axis}.periodic=true)"
            )
    points = dict(n) if isinstance(n, Mapping) else dict.fromkeys(domain.space, n)
    return Grid(domain, {axis: (Fourier(), points[axis]) for axis in points})


def _start(equation: Equation, grid: Grid) -> dict[str, Any]:
    """The initial values without the waves that a grid of this size cannot hold.

    On the nodes themselves those would fold back: values with a kink then leave an error of second
    order in the spacing for all times, without it one that diffusion smooths away.
    """
    fine = grid.refined(_FINER.get(len(grid.shape), 2))
    values = GridDiscretisation(fine).initial(equation).values
    return {name: _coarsened(value, fine, grid) for name, value in values.items()}


def _coarsened(values: Any, fine: Grid, grid: Grid) -> Any:
    spectrum = symbols.to_modes(values[None])
    for dim, n in enumerate(grid.shape, 1):
        last, most = dim == len(grid.shape), (n - 1) // 2  # without the Nyquist wave
        wave = jnp.fft.rfftfreq(n, 1.0 / n) if last else jnp.fft.fftfreq(n, 1.0 / n)
        held = (jnp.abs(wave) <= most).astype(spectrum.dtype)
        place = jnp.rint(wave).astype(int) % fine.shape[dim - 1]
        sizes = [-1 if d == dim else 1 for d in range(spectrum.ndim)]
        spectrum = jnp.take(spectrum, place, axis=dim) * held.reshape(sizes)
    return symbols.to_grid(spectrum, grid)[0] * (math.prod(grid.shape) / math.prod(fine.shape))


def _fraction(degree: int | None, dealias: float | None) -> float:
    if dealias is None:
        return 0.5 if degree is None else max(0.5, 2.0 / (max(degree, 1) + 1.0))
    if not 0.0 < dealias <= 1.0:
        raise PinnlabError(f"dealias is a fraction of the modes in (0, 1], not {dealias!r}")
    return dealias


def _multipliers(split: Split, grid: Grid, made: Any, keep: Any) -> Any:
    """For each slot of the nonlinear part what it is made of, and by which symbols."""
    sources, multipliers = [], []
    for name, orders in (split.function.slots[j] for j in split.needed):
        row = split.function.rows.index(name)
        own = row < len(split.function.evolving)
        through = (row,) if own else tuple(range(len(split.function.evolving)))
        factor = keep * symbols.derivative(grid, orders)
        sources.append(through)
        multipliers.append(tuple(factor if own else factor * made[row, v] for v in through))
    return tuple(sources), tuple(multipliers)


def _counts(domain: Domain, times: Sequence[float], steps: int) -> tuple[tuple[int, ...], float]:
    """The steps between the times kept, and the length of a step."""
    axis = str(domain.time)
    start, at = domain[axis].lower, np.asarray(times, float)
    if at.ndim != 1 or not at.size or at[0] < start or at[-1] <= start or np.any(np.diff(at) <= 0):
        raise PinnlabError(f"times must increase and not start before {axis} = {start:g}")
    if int(steps) != steps or steps < 1:
        raise PinnlabError(f"steps must be a whole number >= 1, not {steps!r}")
    step = (at[-1] - start) / steps
    exact = (at - start) / step
    whole = np.rint(exact)
    between = np.abs(exact - whole) > 1e-6
    if np.any(between):
        raise PinnlabError(
            f"{axis} = {at[between][0]:g} lies between two steps of {step:g} (steps={steps}): "
            "choose a number of steps that divides every interval between the times"
        )
    return tuple(np.diff(whole, prepend=0).astype(int).tolist()), float(step)


def _check_finite(
    equation: Equation, values: Mapping[str, Any], times: Sequence[float], steps: int
) -> None:
    for name, value in values.items():
        good = np.isfinite(np.asarray(value)).reshape(len(times), -1).all(1)
        if not good.all():
            raise DivergenceError(
                f"'{name}' of {type(equation).__name__} left the finite numbers before "
                f"{equation.domain.time} = {times[int(np.argmin(good))]:g}: more than "
                f"steps={steps} are needed, or the problem has no solution that long"
            )
