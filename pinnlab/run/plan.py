"""What a training consists of: its legs, the trainer, and how what they leave is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pinnlab.core.conditions import Observations
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.models import Model, NetworkReading
from pinnlab.models.parity import check_parity
from pinnlab.models.windows import WindowedReading, bases, edges
from pinnlab.terms import Prior, Problem, default_terms
from pinnlab.train import Phase, Trainer
from pinnlab.train.legs import Leg, staged, windowed

Windows = int | Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Plan:
    """One training from an equation to a reading.

    Arguments:
        equation: over its whole domain.
        legs: what is trained, in order.
        edges: of the time windows; none for one training over all of the time.
    """

    equation: Equation
    legs: Sequence[Leg]
    trainer: Trainer
    edges: tuple[float, ...] = ()

    @property
    def problem(self) -> Problem:
        """Of the last leg."""
        return self.legs[-1].problem

    def reading(self, reached: Sequence[Any]) -> NetworkReading:
        """The solution that the parameters of the legs so far make."""
        model, seeds = self.legs[len(reached) - 1].problem.model, self.trainer.seeds
        if self.edges:
            return WindowedReading(self.equation, model, reached, seeds, self.edges)
        return NetworkReading(self.equation, model, reached[-1], seeds)

    def parameters(self, legs: int) -> int:
        """How many are trained in the first *legs*, for one seed."""
        return sum(leg.problem.size for leg in self.legs[:legs])


def make_plan(
    equation: Equation,
    model: Model,
    trainer: Trainer,
    observations: Sequence[Observations] = (),
    priors: Mapping[str, Prior] | None = None,
    infer: Sequence[str] = (),
    windows: Windows | None = None,
    stages: Sequence[tuple[Model, Sequence[Phase] | None]] = (),
) -> Plan:
    """One training, or one for each of *windows* of time, or one followed by *stages*.

    Arguments:
        windows: how many of one length, the times at which they end (numbers, or text with
            units), or ``{count: 10}`` or ``{times: [...]}`` with ``nodes``: how many an axis for
            the state that is handed over, one number or by axis.
        stages: corrections of the solution before them: their models, and their phases (those of
            the trainer if None).

    Raises:
        PinnlabError: windows that do not fit the time axis, or of an inverse problem; stages
            together with windows; a parity that the equation does not have.
    """

    def problem(of: Equation, model: Model = model) -> Problem:
        return Problem(of, model, default_terms(of, model, observations, priors), infer)

    check_parity(model, equation)
    if windows is None and not stages:
        return Plan(equation, [Leg(problem(equation))], trainer)
    if windows is None:
        models = [model]
        for more, _ in stages:
            more = replace(more, exact=model.exact, embed=model.embed, parity=model.parity)
            models.append(replace(more, before=models[-1]))
        legs = staged([problem(equation, m) for m in models], [None, *(p for _, p in stages)])
        return Plan(equation, legs, trainer)
    if stages:
        raise PinnlabError("stages: they cannot be combined with windows; leave one of them out")
    if infer or observations or priors:
        raise PinnlabError(
            "windows: each window is a forward problem, so that nothing can be learned from "
            "observations; leave out windows, or infer, priors and observations"
        )
    parts: dict[str, Any] = dict(windows) if isinstance(windows, Mapping) else {"times": windows}
    for key in parts:
        choose("key of windows", str(key), ("count", "times", "nodes"))
    given = parts.get("count", parts.get("times"))
    if ("count" in parts) == ("times" in parts) or not isinstance(given, (int, Sequence)):
        raise PinnlabError(f"windows: give a number, or the times at which they end; got {windows}")
    if not isinstance(given, int):
        time = equation.domain[str(equation.domain.time)] if equation.domain.time else None
        unit = time.units if time else "1"
        given = [quantity(t, unit, f"windows.times[{i}]") for i, t in enumerate(given)]
    axes, ends = bases(equation, parts.get("nodes")), edges(equation, given)
    return Plan(equation, windowed(equation, ends, problem, axes), trainer, ends)
