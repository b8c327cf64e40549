"""Composing configurations, with errors that name the key and list what exists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException
from yaml import YAMLError

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.run.catalogue import config_dir, experiments, own_configs
from pinnlab.run.config import FREE, KEYS, Schema, register

WRONG = (HydraException, OmegaConfBaseException, YAMLError)


def composed(overrides: Sequence[str]) -> DictConfig:
    """The configuration that *overrides* describe.

    Raises:
        PinnlabError: an unknown experiment, group choice or key, or a value of the wrong type.
    """
    register()
    if GlobalHydra.instance().is_initialized():
        GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return checked(compose("config", with_own_configs(overrides)))
    except WRONG as error:
        raise PinnlabError(explained(error)) from error


def with_own_configs(overrides: Sequence[str]) -> list[str]:
    """*overrides*, and the working directory's own ``configs`` on Hydra's search path."""
    folder = own_configs()
    if folder is None or any(o.lstrip("+").startswith("hydra.searchpath") for o in overrides):
        return list(overrides)
    quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    return [*overrides, f"hydra.searchpath=['file://{quoted}']"]


def checked(cfg: DictConfig) -> DictConfig:
    """*cfg* with every key of the schema and no other.

    Raises:
        PinnlabError: an unknown key, or no experiment.
    """
    for key in cfg:
        choose("key", str(key), KEYS)
    try:
        whole = OmegaConf.merge(OmegaConf.structured(Schema), cfg)
        if OmegaConf.is_missing(whole, "name"):
            raise PinnlabError(_NAMELESS)
        OmegaConf.to_container(whole, resolve=True)  # an interpolation may lead nowhere
    except OmegaConfBaseException as error:
        raise PinnlabError(explained(error)) from error
    assert isinstance(whole, DictConfig)
    return whole


def saved(folder: Path) -> DictConfig:
    """The configuration that a run left in its folder.

    Raises:
        PinnlabError: there is none, or it cannot be read.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise PinnlabError(f"'{folder}' is no run folder: it holds no config.yaml")
    try:
        found = OmegaConf.load(path)
    except WRONG as error:
        raise PinnlabError(f"'{path}' cannot be read: {explained(error)}") from error
    if not isinstance(found, DictConfig):
        raise PinnlabError(f"'{path}' is no configuration of a run")
    return checked(found)


def changed(cfg: DictConfig, changes: Sequence[str]) -> DictConfig:
    """*cfg* with ``key=value`` *changes* of what no result depends on.

    Raises:
        PinnlabError: another key, or a value of the wrong type.
    """
    for change in changes:
        choose("key to change for a run that goes on", change.partition("=")[0], FREE)
    try:
        return checked(OmegaConf.merge(cfg, OmegaConf.from_dotlist(list(changes))))  # type: ignore
    except WRONG as error:
        raise PinnlabError(explained(error)) from error


_NAMELESS = (
    "no experiment is named: pinnlab experiment=NAME (pinnlab list shows them); "
    "an experiment's own yaml says 'name: NAME'"
)


def explained(error: Exception) -> str:
    """Hydra's or OmegaConf's *error* in one line, with what exists where a name does not."""
    if isinstance(error, InterpolationToMissingValueError) and "value: name" in str(error):
        return _NAMELESS
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' cannot be read ({_line(error)}); write key=value"
    if isinstance(error, YAMLError):
        return " ".join(str(error).split())
    message = _line(error.__cause__ or error)
    overridden = re.search(
        r"(?:Could not override|Error merging override) '?([^\s'=]+)", str(error)
    )
    unknown = re.search(r"Key '([^']+)' (?:is )?not in 'Schema'", f"{error} {error.__cause__}")
    choice = re.search(r"Could not find '([^']+)/([^'/]+)'", str(error))
    try:
        if unknown:
            choose("key", unknown.group(1), KEYS)
        if choice and choice.group(1) == "experiment":
            choose("experiment", choice.group(2), experiments())
        if choice:
            listed = str(error).partition("Available options")[2].partition("Config search")[0]
            choose(choice.group(1), choice.group(2), re.findall(r"^\t(\S+)", listed, re.M))
    except PinnlabError as better:
        return str(better)
    # The one names an override, the other a value of a file
    key = overridden.group(1) if overridden else getattr(error.__cause__ or error, "full_key", "")
    return f"{key}: {message}" if key else message


def _line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
