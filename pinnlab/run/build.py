"""From a configuration to frozen objects, with errors that name the yaml key."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from pinnlab import networks
from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.units import quantity
from pinnlab.equations.base import Equation
from pinnlab.models import Model
from pinnlab.optimizers import Optimizer
from pinnlab.optimizers.gradient import as_optimizer
from pinnlab.terms import Prior
from pinnlab.train import Phase, Trainer


def instantiate(node: Any, key: str) -> Any:
    """``hydra.utils.instantiate`` with an error that names *key* and what is accepted there.

    Raises:
        PinnlabError: a class that cannot be found, or arguments that it does not take.
    """
    _check_arguments(_target(node, key), node, key)
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, PinnlabError):
            raise cause from error
        raise PinnlabError(f"{key}: {cause or error}") from error


def _target(node: Any, key: str) -> Any:
    if not isinstance(node, (DictConfig, dict)) or "_target_" not in node:
        raise PinnlabError(f"{key}: give '_target_', the dotted name of a class or function")
    return locate(str(node["_target_"]), f"{key}._target_")


def _check_arguments(target: Any, node: Mapping[Any, Any], key: str) -> None:
    """Raise :class:`PinnlabError` for an argument *target* does not have, or of the wrong type."""
    known, open_ended = accepted(target)
    try:
        hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError, AttributeError):  # annotations that exist for readers only
        hints = {}
    for name, value in node.items():
        if str(name).startswith("_"):
            continue
        if not open_ended:
            choose(f"argument of {key}", str(name), known)
        allowed = _numbers(hints.get(str(name), Any))
        if (
            allowed
            and isinstance(value, (str, bool, int, float))
            and not isinstance(value, allowed)
        ):
            kinds = " or ".join(kind.__name__ for kind in allowed)
            raise PinnlabError(f"{key}.{name}: {value!r} is not of type {kinds}")


def accepted(target: Any) -> tuple[list[str], bool]:
    """The names of *target*'s arguments, and whether it takes any others as well."""
    parameters = inspect.signature(target).parameters.values()
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    # 'parent' and 'name' are Flax's own, which every module has
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    known = [n for n in known if "parent" not in known or n not in ("parent", "name")]
    return known, open_ended


def _numbers(hint: Any) -> tuple[type, ...]:
    """The plain types that a *hint* allows; none if it also allows what cannot be told apart."""
    kinds = set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}
    if kinds & {Any, object, str} or not kinds & {int, float, bool}:
        return ()
    plain = kinds & {int, float, bool}
    return tuple(sorted(plain | ({int} if float in plain else set()), key=lambda k: k.__name__))


def locate(path: str, key: str) -> Any:
    """Import the class or function at a dotted *path*.

    Raises:
        PinnlabError: there is none, naming the yaml *key*.
    """
    try:
        return hydra.utils.get_object(path)
    except Exception as error:
        why = str(error.__cause__ or error).splitlines()[0]
        raise PinnlabError(f"{key}: cannot import '{path}' ({why})") from error


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
    if "__dataclass_fields__" not in vars(cls):
        raise PinnlabError(f"equation._target_: decorate the class {cls.__name__} with @equation")
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
        values["domain"] = cls.domain.updated(changes)
    equation = cls(**values)
    equation.check()
    equation.warn_of_corners()
    return equation


def build_optimizer(node: Any, key: str) -> Optimizer:
    """An optimizer of ours, or any optax transformation.

    Raises:
        PinnlabError: something else.
    """
    return as_optimizer(instantiate(node, key), key)


def build_model(cfg: DictConfig) -> Model:
    """The network with its scaling and exact conditions."""
    given = OmegaConf.to_container(cfg.model, resolve=True)
    assert isinstance(given, dict)
    known = [f.name for f in dataclasses.fields(Model) if f.name != "network"]
    settings = {choose("key of model", str(name), known): value for name, value in given.items()}
    return Model(instantiate(network_settings(cfg.network), "network"), **settings)


def network_settings(
    node: Any,
    key: str = "network",
    above: Mapping[str, tuple[str, Any]] | None = None,
    taken: tuple[str, ...] = (),
) -> dict[str, Any]:
    """A network's settings, each with the network that takes it.

    Experiments say ``network: {width: 16, depth: 2}`` whatever network is chosen. What one that
    stands in front of another does not take goes to the *network* behind it, unless that has its
    own.

    Arguments:
        node: the settings with their ``_target_``.
        key: where they stand.
        above: by name, key and value of settings that networks in front do not take.
        taken: what those networks take.

    Raises:
        PinnlabError: settings that no network of the chain takes, and whose they are.
    """
    target = _target(node, key)
    known, open_ended = accepted(target)
    given = {str(name): (f"{key}.{name}", value) for name, value in node.items()}
    given = {**(above or {}), **given}
    rest = {n: g for n, g in given.items() if not (n.startswith("_") or n in known or open_ended)}
    own = {name: value for name, (_, value) in given.items() if name not in rest}
    if isinstance(own.get("network"), Mapping):
        behind = own["network"]
        own["network"] = network_settings(behind, f"{key}.network", rest, (*taken, *known))
    elif rest:
        _refuse({name: place for name, (place, _) in rest.items()}, target, (*taken, *known))
    _check_arguments(target, own, key)
    return own


def _refuse(places: Mapping[str, str], target: Any, known: tuple[str, ...]) -> None:
    """Raise :class:`PinnlabError` for settings (key by name) of other networks, or of none."""
    said = []
    for name, place in places.items():
        owners = [n for n in networks.__all__ if name in accepted(getattr(networks, n))[0]]
        if not owners:
            choose(f"argument of {place.removesuffix(f'.{name}')}", name, set(known))
        said.append(f"'{name}' (of {', '.join(owners)})")
    drop = " ".join(f"'~{place}'" for place in places.values())
    raise PinnlabError(
        f"network: {target.__name__} has no {', '.join(said)}; where the experiment sets it for "
        f"another network, drop it with {drop}. There are: {', '.join(sorted(set(known)))}"
    )


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

    Without phases it has none; :func:`pinnlab.run.sized.sized_phases` gives some.

    Raises:
        PinnlabError: an unknown key of a phase, or a number out of range.
    """
    if cfg.seeds < 1 or (cfg.steps is not None and cfg.steps < 1):
        raise PinnlabError(f"seeds={cfg.seeds} and steps={cfg.steps} must be at least 1")
    budget = None if cfg.budget is None else quantity(cfg.budget, "s", "budget")
    return Trainer(
        phases=build_phases(cfg, cfg.phases, "phases") if cfg.phases else (),
        weights=instantiate(cfg.weights, "weights"),
        budget=budget,
        seed=cfg.seed,
        seeds=cfg.seeds,
    )


def build_phases(cfg: DictConfig, given: Any, key: str) -> tuple[Phase, ...]:
    """The phases *given* at *key*, cut after ``steps``.

    Raises:
        PinnlabError: none, an unknown key of a phase, or a number out of range.
    """
    if not given:
        raise PinnlabError(f"{key}: give at least one, such as [{{steps: 1000, points: 1000}}]")
    phases, left = [], cfg.steps if cfg.steps is not None else sys.maxsize
    for i, one in enumerate(given):
        if not isinstance(one, Mapping):
            raise PinnlabError(f"{key}[{i}]: give {{steps: 1000, points: 1000}}, got {one}")
        _check_arguments(Phase, one, f"{key}[{i}]")
        steps = min(one.get("steps", 1000), left)
        if left <= 0:
            break
        phases.append(
            Phase(
                optimizer=build_optimizer(one.get("optimizer", cfg.optimizer), "optimizer"),
                steps=steps,
                points=one.get("points", 1000),
                sampler=instantiate(one.get("sampler", cfg.sampler), "sampler"),
                resample=one.get("resample", 0),
                minibatch=one.get("minibatch", 0),
                reach=one.get("reach", 1.0),
                until=one.get("until", 0.0),
                set=dict(one.get("set", {})),
                precision=one.get("precision"),
            )
        )
        left -= steps
    return tuple(phases)


def build_stages(cfg: DictConfig) -> list[tuple[Model, tuple[Phase, ...]]]:
    """The corrections of the first training: each a model, of which what is not given is as
    before, and its phases.

    Raises:
        PinnlabError: an unknown key, or another kind of conditions.
    """
    made = []
    for i, given in enumerate(cfg.stages):
        if not isinstance(given, Mapping):
            raise PinnlabError(f"stages[{i}]: give {{network: {{slope: 4}}}}, got {given}")
        for name in given:
            choose(f"key of stages[{i}]", str(name), ("network", "model", "phases"))
        for name in given.get("model", {}):
            choose(f"key of stages[{i}].model", str(name), ("harmonics", "periods", "stretch"))
        parts = {k: OmegaConf.merge(cfg[k], given.get(k, {})) for k in ("network", "model")}
        phases = build_phases(cfg, given.get("phases", cfg.phases), f"stages[{i}].phases")
        made.append((build_model(OmegaConf.create(parts)), phases))
    return made
