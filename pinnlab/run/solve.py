"""``pinnlab.solve``: an equation solved in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pinnlab.core.conditions import Observations
from pinnlab.core.errors import choose
from pinnlab.core.precision import precision as _precision
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.run.plan import Windows, make_plan
from pinnlab.run.sized import sized_phases
from pinnlab.run.solution import Solution, trained
from pinnlab.solvers.automatic import TOLERANCES, climb
from pinnlab.solvers.classical import Classical
from pinnlab.train import Trainer


def solve(
    equation: Equation,
    method: str | Classical = "pinn",
    *,
    network: Any = None,
    observations: Sequence[Observations] = (),
    infer: Sequence[str] = (),
    trainer: Trainer | None = None,
    budget: float | str | None = None,
    seed: int = 0,
    precision: str = "float64",
    exact: bool = True,
    times: Sequence[float] | None = None,
    windows: Windows | None = None,
) -> Solution:
    """Solve *equation* with a trained network, or by the classical way that *method* says.

    The default trains a small tanh network, with the conditions satisfied exactly, by what suits
    its size (:func:`pinnlab.run.sized.sized_phases`), in float64.

    Arguments:
        method: ``"pinn"``; ``"fast"``, ``"auto"`` or ``"accurate"`` for the cheapest classical way,
            refined until two resolutions agree to 1e-4, 1e-8 or 1e-10; or a classical solver such
            as ``Lines(n=64)`` or ``Etdrk4(n=128)``.
        network: a Flax module; ``MLP(20, 3)`` by default.
        observations: data to fit along; *infer* names parameters to learn from them.
        trainer: phases, weights, seeds and budget of your own.
        budget: seconds of training (``60`` or ``"60 s"``) for the default trainer.
        times: for a classical solver, the times that are kept; 101 even ones by default.
        windows: train one after the other on so many windows of time, or on those that end at
            the given times; each starts from the state at the end of the one before.

    Raises:
        PinnlabError: an equation that contradicts itself, or settings that do not fit it.
        DivergenceError: the solve or training left the finite numbers.
    """
    equation.check()
    equation.warn_of_corners()
    with _precision(precision):
        if method != "pinn":
            return _classical(equation, method, times)
        model = Model(network or MLP(20, 3), exact=exact)
        if trainer is None:
            seconds = None if budget is None else quantity(budget, "s", "budget")
            trainer = Trainer(sized_phases(model, equation), budget=seconds, seed=seed)
        plan = make_plan(equation, model, trainer, observations, None, infer, windows)
        done = trainer.fit(plan.legs)
        reading = plan.reading(done.legs)
        facts = {
            "seconds": done.seconds,
            "steps": done.step,
            "loss": done.history[-1]["fresh_loss"],
        }
        return Solution(equation, reading, facts) if plan.edges else trained(reading, facts)


def _classical(
    equation: Equation, method: str | Classical, times: Sequence[float] | None
) -> Solution:
    time = equation.domain.time
    if times is None:
        axis = equation.domain[time] if time else None
        times = list(np.linspace(axis.lower, axis.upper, 101)) if axis else []
    if isinstance(method, Classical):
        return Solution(equation, method.solve(equation, times))
    choose("method", method, ("pinn", *TOLERANCES))
    *_, last = climb(equation, times, TOLERANCES[method])
    return Solution(equation, last.solution, {"seconds": last.seconds, "change": last.change})
