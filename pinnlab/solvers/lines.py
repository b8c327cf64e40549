r"""Method of lines: a basis in space, Diffrax in time.

Any equation with variables of order 1 or 2 in time on any :class:`Discretisation`: a grid, or
frozen features. An ordinary differential equation is the case without space axes. Variables of
order 2 get their rate as a companion state; those of order 0 are solved for at each evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optimistix

from pinnlab.core.errors import DivergenceError, PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.equations.base import Equation
from pinnlab.solvers.discretisation import (
    Discretisation,
    GridDiscretisation,
    State,
    evolving,
    scales,
    slope,
)
from pinnlab.solvers.stiffness import is_stiff

SOLVERS = ("auto", "explicit", "implicit")
_ADJOINTS = {"reverse": diffrax.RecursiveCheckpointAdjoint, "forward": diffrax.ForwardMode}


def solve_lines(
    equation: Equation,
    grid: Grid | Discretisation,
    times: Sequence[float],
    solver: str = "auto",
    rtol: float | None = None,
    atol: float | None = None,
    max_steps: int = 200_000,
    adjoint: Literal["reverse", "forward"] = "reverse",
    initial: State | None = None,
) -> Any:
    """Integrate *equation* from the lower end of its time axis; a solution of the basis.

    Compiled once for a kind of equation and grid, and differentiable with respect to the
    equation's parameters (by ``jax.grad``; with ``adjoint="forward"`` by ``jax.jvp``).

    Arguments:
        grid: a grid, or another discretisation.
        times: increasing times to keep, in the time axis's units.
        solver: ``explicit`` (Dopri8; Tsit5 at rtol above 1e-5), ``implicit`` (Kvaerno5), or
            ``auto``, which compares their cost by an estimate of the stiffness.
        rtol: relative tolerance of a step; by default 1e-8, in single precision 1e-4.
        atol: absolute tolerance in units of the variables' scales; by default *rtol*.
        initial: a state in place of the equation's initial conditions.

    Raises:
        PinnlabError: an equation that does not evolve, times outside, an unknown solver, a
            missing initial condition, or a solve that took more than *max_steps*.
        DivergenceError: the solution left the finite numbers.
    """
    equation.check()
    choose("solver", solver, SOLVERS)
    basis: Discretisation = GridDiscretisation(grid) if isinstance(grid, Grid) else grid
    lower, saved = _times(equation, times)
    start = jnp.asarray(lower, jnp.result_type(float))
    rtol = rtol if rtol is not None else max(1e-8, 1e3 * float(jnp.finfo(float).eps))
    state = initial if initial is not None else basis.initial(equation)
    prepared = basis.prepare(equation, start, state)
    if solver == "auto":
        span = float(saved[-1]) - lower
        solver = "implicit" if is_stiff(equation, basis, state, span) else "explicit"
    method = "Kvaerno5" if solver == "implicit" else ("Dopri8" if rtol < 1e-5 else "Tsit5")
    kept, statistics, result, reached = _integrate(
        equation,
        prepared,
        state,
        jnp.asarray(saved, start.dtype),
        basis=basis,
        method=method,
        tolerance=(rtol, rtol if atol is None else atol),
        max_steps=max_steps,
        adjoint=adjoint,
    )
    if not isinstance(reached, jax.core.Tracer):
        _check(equation, method, result, float(reached), kept, saved)
    return basis.solution(saved, kept, {"solver": method, "rtol": rtol, **statistics})


@partial(jax.jit, static_argnames=("basis", "method", "tolerance", "max_steps", "adjoint"))
def _integrate(
    equation: Equation,
    prepared: Any,
    state: State,
    times: Any,
    *,
    basis: Discretisation,
    method: str,
    tolerance: tuple[float, float],
    max_steps: int,
    adjoint: str,
) -> tuple[State, dict[str, Any], Any, Any]:
    """What is kept at *times*, the counts of steps, the result, and the time reached."""
    size = scales(equation, state)

    def right(t: Any, scaled: State, args: Any) -> State:
        y = jax.tree.map(lambda a, s: a * s, scaled, size)
        rate = slope(args[0], basis, args[1], t, y)
        return jax.tree.map(lambda a, s: a / s, rate, size)

    def keep(at: Any) -> State:
        t, scaled = at
        y = jax.tree.map(lambda a, s: a * s, scaled, size)
        return basis.complete(equation, t, y, prepared)

    start = jnp.asarray(equation.domain[str(equation.domain.time)].lower, times.dtype)
    every, last = diffrax.SubSaveAt(ts=times), diffrax.SubSaveAt(t1=True)
    found = diffrax.diffeqsolve(
        diffrax.ODETerm(right),
        _method(method, tolerance),
        start,
        times[-1],
        None,
        jax.tree.map(lambda a, s: a / s, state, size),
        (equation, prepared),
        saveat=diffrax.SaveAt(subs=[every, last]),
        stepsize_controller=_controller(method, tolerance, start, times),
        max_steps=max_steps,
        adjoint=_ADJOINTS[adjoint](),
        throw=False,
    )
    (_, reached), (states, _) = found.ts, found.ys  # type: ignore[misc]
    kept = jax.lax.map(keep, (times, states))
    counts = {"steps": found.stats["num_steps"], "rejected": found.stats["num_rejected_steps"]}
    return kept, counts, found.result, reached[0]


def _method(name: str, tolerance: tuple[float, float]) -> Any:
    if name != "Kvaerno5":
        return getattr(diffrax, name)()
    # Diffrax's own chord gives up early, and then a step is halved where it need not be.
    return diffrax.Kvaerno5(root_finder=optimistix.Chord(*tolerance))


def _controller(method: str, tolerance: tuple[float, float], start: Any, times: Any) -> Any:
    span = times[-1] - start
    smallest = 1e2 * jnp.finfo(times.dtype).eps * jnp.maximum(span, jnp.abs(times[-1]))
    # Proportional control as well: at the border of stability the integral alone rejects often.
    controller = diffrax.PIDController(
        *tolerance, pcoeff=0.3, icoeff=0.4, dtmin=smallest, force_dtmin=False
    )
    if method != "Kvaerno5":
        return controller
    # Its dense output is only of third order, so that its steps must end at the saved times.
    return diffrax.ClipStepSizeController(controller, step_ts=times)


def _times(equation: Equation, times: Sequence[float]) -> tuple[float, np.ndarray]:
    kind, time = type(equation).__name__, equation.domain.time
    if time is None or not evolving(equation):
        raise PinnlabError(
            f"{kind} has no variable that evolves in time: use solve_steady for a steady problem"
        )
    axis, saved = equation.domain[time], np.atleast_1d(np.asarray(times, float))
    if saved.ndim != 1 or not np.all(np.diff(saved) > 0) or saved[0] < axis.lower:
        raise PinnlabError(
            f"the times of a solve must increase from {time}={axis.lower:g} {axis.units} on, "
            f"got {saved[:3]}..."
        )
    return axis.lower, saved


def _check(
    equation: Equation, method: str, result: Any, reached: float, kept: State, times: np.ndarray
) -> None:
    """Raise what went wrong, when, and what to do about it."""
    finite = all(bool(jnp.all(jnp.isfinite(a))) for a in jax.tree.leaves(kept))
    ended = bool(result == diffrax.RESULTS.successful)
    if ended and finite:
        return
    kind, time = type(equation).__name__, str(equation.domain.time)
    where = f"{kind} by {method} stopped at {time}={reached:g} of {times[-1]:g}"
    if bool(result == diffrax.RESULTS.max_steps_reached):
        other = "solver='implicit'" if method != "Kvaerno5" else "a looser rtol"
        raise PinnlabError(f"{where}: it took max_steps steps; try {other}, or raise max_steps")
    raise DivergenceError(
        f"{where}: the solution or its rate leaves the finite numbers there. Check the sign of the "
        "terms in rhs, the conditions (a side without one where the equation needs it), and "
        "whether the problem has a solution that long"
    )
