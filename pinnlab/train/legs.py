"""Legs: a training as a sequence of problems, each from the solution of the one before.

A leg has a problem, its phases, and a handover that makes of the solution before it where to
start and what stays fixed: the state at the start of a time window. What is fixed travels beside
the parameters through the compiled steps, so that legs with one problem are one program.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

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
