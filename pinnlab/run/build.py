"""From a configuration to frozen objects, with errors that name the yaml key."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import hydra.utils
import optax
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.models import Model
from pinnlab.optimizers import Gradient, Optimizer
from pinnlab.terms import Prior
from pinnlab.train import Phase, Trainer


def instantiate(node: Any, key: str) -> Any:
    """``hydra.utils.instantiate`` with an error that names *key* and what is accepted there.

    Raises:
        PinnlabError: a class that cannot be found, or arguments that it does not take.
    """
    if not isinstance(node, (DictConfig, dict)) or "_target_" not in node:
        raise PinnlabError(f"{key}: give '_target_', the dotted name of a class or function")
    target = locate(str(node["_target_"]), f"{key}._target_")
    known = [p.name for p in inspect.signature(target).parameters.values()]
    for name in node:
        if not str(name).startswith("_") and "kwargs" not in known:
            choose(f"argument {key}", str(name), known)
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, PinnlabError):
            raise cause from error
        raise PinnlabError(f"{key}: {cause or error}") from error


def locate(path: str, key: str) -> Any:
    """Import the class or function at a dotted *path*.

    Raises:
        PinnlabError: there is none, naming the yaml *key*.
    """
    try:
        return hydra.utils.get_object(path)
    except Exception as error:
        raise PinnlabError(f"{key}: cannot import '{path}' ({error})") from error


def build_equation(cfg: DictConfig) -> Equation:
    """The equation, with coefficients by name and changes of its domain applied.

    Raises:
        PinnlabError: an unknown parameter, a value out of bounds, a wrong unit.
    """
    node = dict(OmegaConf.to_container(cfg.equation, resolve=True))  # type: ignore[arg-type]
    if "_target_" not in node:
        raise PinnlabError("equation: give '_target_', the dotted name of an equation's class")
    cls = locate(node.pop("_target_"), "equation._target_")
    if not (inspect.isclass(cls) and issubclass(cls, Equation)):
        raise PinnlabError(f"equation._target_: {cls} is no equation")
    changes = node.pop("domain", None)
    known = cls.parameters()
    values = {}
    for name, value in node.items():
        choose("parameter (equation)", name, known)
        choices = cfg.coefficients.get(name, {})
        if isinstance(value, str) and value in choices:
            value = choices[value]
        elif isinstance(value, str) and choices and not value[:1].isdigit():
            choose(f"coefficient (equation.{name})", value, choices)
        if isinstance(value, (dict, DictConfig)):
            value = instantiate(value, f"equation.{name}")
        values[name] = value
    if changes:
        default = next(f.default for f in dataclasses.fields(cls) if f.name == "domain")
        values["domain"] = default.updated(changes)
    equation = cls(**values)
    equation.check()
    return equation


def build_optimizer(node: Any, key: str) -> Optimizer:
    """An optimizer of ours, or any optax transformation.

    Raises:
        PinnlabError: something else.
    """
    made = instantiate(node, key)
    if isinstance(made, optax.GradientTransformation):
        return Gradient(made)
    if isinstance(made, Optimizer):
        return made
    raise PinnlabError(f"{key}: {type(made).__name__} is neither an optimizer nor of optax")


def build_model(cfg: DictConfig) -> Model:
    """The network with its scaling and exact conditions."""
    given = OmegaConf.to_container(cfg.model, resolve=True)
    assert isinstance(given, dict)
    known = [f.name for f in dataclasses.fields(Model) if f.name != "network"]
    settings = {choose("key of model", str(name), known): value for name, value in given.items()}
    return Model(instantiate(cfg.network, "network"), **settings)


def build_priors(cfg: DictConfig, equation: Equation) -> dict[str, Prior]:
    """The priors of learned parameters.

    Raises:
        PinnlabError: a name that is no parameter, or settings that a prior does not have.
    """
    made = {}
    for name, given in cfg.priors.items():
        choose("parameter (priors)", str(name), equation.parameters())
        settings = {k: float(v) for k, v in given.items() if v is not None}
        for key in settings:
            choose(f"key of priors.{name}", key, [f.name for f in dataclasses.fields(Prior)])
        made[str(name)] = Prior(**settings)
    return made


def build_trainer(cfg: DictConfig) -> Trainer:
    """The trainer with its phases; ``steps`` cuts them, ``budget`` bounds their time.

    Raises:
        PinnlabError: no phases, an unknown key of a phase, or a number out of range.
    """
    if not cfg.phases:
        raise PinnlabError("phases: give at least one, such as [{steps: 1000, points: 1000}]")
    if cfg.seeds < 1 or (cfg.steps is not None and cfg.steps < 1):
        raise PinnlabError(f"seeds={cfg.seeds} and steps={cfg.steps} must be at least 1")
    phases, left = [], cfg.steps if cfg.steps is not None else float("inf")
    for i, given in enumerate(cfg.phases):
        if left <= 0:
            break
        for name in given:
            choose(f"key of phases[{i}]", str(name), [f.name for f in dataclasses.fields(Phase)])
        steps = int(min(given.get("steps", 1000), left))
        phases.append(
            Phase(
                optimizer=build_optimizer(given.get("optimizer", cfg.optimizer), "optimizer"),
                steps=steps,
                points=int(given.get("points", 1000)),
                sampler=instantiate(given.get("sampler", cfg.sampler), "sampler"),
                resample=int(given.get("resample", 0)),
                reach=float(given.get("reach", 1.0)),
            )
        )
        left -= steps
    budget = None if cfg.budget is None else quantity(cfg.budget, "s", "budget")
    return Trainer(
        phases=tuple(phases),
        weights=instantiate(cfg.weights, "weights"),
        budget=budget,
        seed=cfg.seed,
        seeds=cfg.seeds,
    )
