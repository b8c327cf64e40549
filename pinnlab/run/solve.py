"""``pinnlab.solve``: an equation solved in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pinnlab.core.conditions import Observations
from pinnlab.core.errors import PinnlabError
from pinnlab.core.precision import precision as _precision
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import LevenbergMarquardt
from pinnlab.run.plan import Windows, make_plan
from pinnlab.run.solution import Solution, trained
from pinnlab.sampling import Adaptive
from pinnlab.solvers.classical import Classical
from pinnlab.train import Phase, Trainer


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
    """Solve *equation* with a trained network, or with a classical solver given as *method*.

    The default trains a small tanh network, with the conditions satisfied exactly, by
    Levenberg-Marquardt on adaptively drawn points, in float64.

    Arguments:
        method: ``"pinn"``, or a classical solver such as ``Lines(n=64)`` or ``Etdrk4(n=128)``.
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
    with _precision(precision):
        if isinstance(method, Classical):
    equation.warn_of_corners()
            time = equation.domain.time
            if times is None and time is not None:
                axis = equation.domain[time]
                times = list(np.linspace(axis.lower, axis.upper, 101))
            return Solution(equation, method.solve(equation, times or ()))
        if method != "pinn":
            raise PinnlabError(f"method: give 'pinn' or a classical solver, got {method!r}")
        model = Model(network or MLP(20, 3), exact=exact)
        if trainer is None:
            trainer = default_trainer(
                seed, None if budget is None else quantity(budget, "s", "budget")
            )
        plan = make_plan(equation, model, trainer, observations, None, infer, windows)
        done = trainer.fit(plan.legs)
        reading = plan.reading(done.legs)
        facts = {
            "seconds": done.seconds,
            "steps": done.step,
            "loss": done.history[-1]["fresh_loss"],
        }
        return Solution(equation, reading, facts) if plan.edges else trained(reading, facts)


def default_trainer(seed: int = 0, budget: float | None = None) -> Trainer:
    """Levenberg-Marquardt on 500, then on 2,000 adaptive points."""
    method, sampler = LevenbergMarquardt(), Adaptive()
    phases = (Phase(method, 100, 500, sampler, 10), Phase(method, 150, 2000, sampler, 10))
    return Trainer(phases, budget=budget, seed=seed)
