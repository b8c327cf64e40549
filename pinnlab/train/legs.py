"""Legs: a training as a sequence of problems, each from the solution of the one before.

A leg has a problem, its phases, and a handover that makes of the solution before it where to
start and what stays fixed: the state at the start of a time window, or the network that a stage
corrects. What is fixed travels beside the parameters through the compiled steps, so that legs with
one problem are one program.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.equations.base import Equation
from pinnlab.equations.window import window
from pinnlab.models.windows import Axes, blank, handed_over, lengths
from pinnlab.terms.problem import Params, Problem

if TYPE_CHECKING:
    from pinnlab.train.trainer import Phase

Given = dict[str, Any]  # parameters beside the trained ones: of "network", of "equation"


class Handover(ABC):
    """What a leg takes from the one before; pure, frozen, and compiled once for equal ones."""

    @abstractmethod
    def __call__(
        self, key: Any, problem: Problem, before: Problem, params: Params
    ) -> tuple[Params | None, Given, dict[str, Any]]:
        """Where a leg starts.

        Arguments:
            key: of the leg, for whatever is random.
            problem, before: of the leg, and of the one before.
            params: the one before's, with what was given to it.

        Returns:
            The parameters to start from, None for random ones; what stays fixed; and numbers for
            the log.
        """


@dataclass(frozen=True, eq=False)
class Leg:
    """One training of a sequence.

    Arguments:
        problem: what it minimises.
        handover: from the leg before; None for the first.
        phases: its own; those of the trainer if None.
        name, number: what it is called in the log: ``window`` 3.
    """

    problem: Problem
    handover: Handover | None = None
    phases: Sequence[Phase] | None = None
    name: str = ""
    number: int = 0

    @property
    def label(self) -> dict[str, int]:
        """For the records."""
        return {self.name: self.number} if self.name else {}


def check(legs: Sequence[Leg], phases: Sequence[Phase]) -> None:
    """Raise :class:`PinnlabError` for phases that set what they cannot, or end with another
    equation or precision than the run's; *phases* are those of legs that have none."""
    now = str(jnp.result_type(float))
    for leg in legs:
        own = phases if leg.phases is None else leg.phases
        known = leg.problem.equation.parameters()
        for i, phase in enumerate(own):
            if phase.precision == "float64" != now:
                raise PinnlabError(f"phases: one has precision=float64 in a run of {now}")
            for name, value in phase.set.items():
                choose("parameter (phases.set)", name, known)
                known[name].check(value, f"phases[{i}].set.{name}")
            for name in {*phase.set} & {*leg.problem.learned}:
                raise PinnlabError(f"phases.set: '{name}' is learned (infer)")
        if own[-1].set or own[-1].precision not in (None, now):
            raise PinnlabError(
                "phases: the last one has the equation's own parameters and the run's precision; "
                f"take 'set' from it, and a precision other than {now}"
            )


@dataclass(frozen=True)
class NextWindow(Handover):
    """The state at the end of a window starts the next one, whose network starts from the last.

    Arguments:
        axes: bases of the space axes for the state.
    """

    axes: Axes

    def __call__(
        self, key: Any, problem: Problem, before: Problem, params: Params
    ) -> tuple[Params, Given, dict[str, Any]]:
        equation = before.equation_of(params)
        length = before.equation.domain[str(before.equation.domain.time)].length
        states, error = handed_over(before.model, equation, params["network"], self.axes)
        shift = params["equation"].get("shift", jnp.zeros(())) + length
        given = {"equation": {"shift": shift, "states": states}}
        return {"network": params["network"], "equation": {}}, given, {"handover_error": error}


@dataclass(frozen=True)
class Correction(Handover):
    r"""A network that corrects the frozen one before it, :math:`u = u_1 + \epsilon u_2`.

    .. math:: \epsilon^2 = \langle R(u_1)^2\rangle \;/\;
        \langle (\partial R(u_1 + \epsilon u_2) / \partial\epsilon)^2\rangle_{\epsilon=0}

    over fresh points with a random :math:`u_2`: the size with which the correction changes the
    residual as much as there is of it. Rows are divided by :math:`\langle R(u_1)^2\rangle^{1/2}`,
    and the correction is a problem of order one again. It has the conditions of the whole, since
    it is added inside of their transform. After Wang & Lai, *Multi-stage neural networks:
    function approximator of machine precision*, J. Comput. Phys. 504, 2024, 112865.

    Arguments:
        points: at which the residual is measured.
    """

    points: int = 1024

    def __call__(
        self, key: Any, problem: Problem, before: Problem, params: Params
    ) -> tuple[Params, Given, dict[str, Any]]:
        first, second = jax.random.split(key)
        equation = dict(params["equation"])
        learned = {name: equation.pop(name) for name in problem.learned}
        start = {"network": problem.init(first)["network"], "equation": learned}
        term = problem.by_name["residual"]
        unit = jax.random.uniform(second, (self.points, term.dims), jnp.result_type(float))

        def rows(size: Any) -> Any:
            given = {"network": {"before": params["network"], "size": size}, "equation": equation}
            return replace(problem, given=given).raw("residual", start, term.place(unit))

        zero, one = jnp.zeros(()), jnp.ones(())
        left, change = (jnp.sqrt(jnp.mean(r**2)) for r in jax.jvp(rows, (zero,), (one,)))
        tiny = jnp.finfo(left.dtype).tiny
        size = left / (change + tiny)
        network = {"before": params["network"], "size": size}
        given = {"network": network, "equation": equation, "unit": 1.0 / (left + tiny)}
        return start, given, {"correction": size}


def staged(problems: Sequence[Problem], phases: Sequence[Sequence[Phase] | None]) -> list[Leg]:
    """A leg for each of *problems*, whose models correct one another in order."""
    return [
        Leg(problem, Correction() if k else None, own, "stage", k + 1)
        for k, (problem, own) in enumerate(zip(problems, phases, strict=True))
    ]


def windowed(
    equation: Equation,
    edges: Sequence[float],
    problem: Callable[[Equation], Problem],
    axes: Axes,
) -> list[Leg]:
    """A leg for each window between the *edges* of time.

    The first window has the conditions of *equation*, exactly; the others share one problem for
    each length.

    Arguments:
        problem: makes one of a window's equation.
        axes: bases of the space axes for the states that are handed over.
    """
    first, *rest = lengths(edges)
    legs = [Leg(problem(window(equation, first)), name="window", number=1)]
    later = {length: problem(blank(equation, length, axes)) for length in dict.fromkeys(rest)}
    legs += [
        Leg(later[length], NextWindow(axes), name="window", number=k)
        for k, length in enumerate(rest, 2)
    ]
    return legs
