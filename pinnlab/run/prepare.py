"""From a configuration to the task of a run, with everything checked before anything is long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, OmegaConf

from pinnlab.core.errors import PinnlabError
from pinnlab.equations.base import Equation
from pinnlab.run.build import instantiate
from pinnlab.run.filed import make_filed
from pinnlab.run.members import Members
from pinnlab.run.methods import build
from pinnlab.run.online import make_online
from pinnlab.run.operators import make_operator
from pinnlab.run.outputs import output_coordinates
from pinnlab.run.reference import make_reference
from pinnlab.run.rollouts import make_trajectories
from pinnlab.run.synthetic import make_observed
from pinnlab.run.task import Task
from pinnlab.solvers.classical import Classical


def make_task(cfg: DictConfig, equation: Equation, ready: Callable[[], None]) -> Task:
    """What the run is asked; *ready* is called before the reference is computed, which may take
    long: what is wrong shows before."""
    solver = instantiate(cfg.classical, "classical") if cfg.classical else None
    if (cfg.method == "operator") != (cfg.operator is not None):
        raise PinnlabError(
            f"method={cfg.method}: operators, and only they, need 'operator', which says what "
            "differs between the equations that they are to solve"
        )
    if cfg.operator is not None and (cfg.infer or cfg.observations is not None):
        raise PinnlabError(
            "method=operator: it learns solutions of given equations, and no parameters from "
            "observations; leave out infer and observations, or use method=pinn"
        )
    if cfg.operator is not None:
        members = make_members(cfg, equation, solver)
        make_operator(cfg, members)
        ready()
        reference = members.reference(members.test())
        return Task(members.equation, members.coordinates(), reference, solver, members=members)
    observed = None
    if cfg.observations is not None:
        given = OmegaConf.to_container(cfg.observations, resolve=True)
        observed = make_observed(equation, given)  # type: ignore[arg-type]
    coordinates = output_coordinates(equation, cfg.output, observed)
    if cfg.method == "pinn":
        build(cfg, equation, observed)
    elif cfg.method == "classical" and solver is None:
        raise PinnlabError("method=classical: this experiment names no solver (classical)")
    ready()
    truth = observed.truth if observed is not None else {}
    reference = make_reference(equation.replace(**truth), solver, coordinates)
    return Task(equation, coordinates, reference, solver, observed)


def make_members(cfg: DictConfig, equation: Equation, solver: Classical | None) -> Members:
    """What ``operator`` says of an experiment: members in a file, trajectories, or members drawn at
    random.

    Raises:
        PinnlabError: an unknown key, or settings that do not fit together.
    """
    given: Any = OmegaConf.to_container(cfg.operator, resolve=True)
    given = {key: value for key, value in given.items() if value is not None}
    if "rollout" in given:
        return make_trajectories(given, equation, solver)
    if "file" in given.get("data", {}):
        return make_filed(given, equation, solver)
    return make_online(given, equation, solver)
