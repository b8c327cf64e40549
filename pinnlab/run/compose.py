"""Composing configurations, with errors that name the key and list what exists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import DictConfig, OmegaConf

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.run.catalogue import config_dir, experiments
from pinnlab.run.config import Schema, register

# Checked by what they build, which knows its arguments; defaults stand in the code alone
_OPEN = ("equation.", "network.", "optimizer.", "sampler.", "weights.", "model.", "classical.",
         "output.", "observations.")


def opened(argument: str) -> str:
    """An override of a key that its own class checks, in Hydra's words for adding it."""
    return f"++{argument}" if argument.startswith(_OPEN) else argument


def composed(overrides: Sequence[str]) -> DictConfig:
    """The configuration that *overrides* describe.

    Raises:
        PinnlabError: an unknown experiment, group choice or key, or a value of the wrong type.
    """
    register()
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "experiment":
            choose("experiment", value, experiments())
    if GlobalHydra.instance().is_initialized():
        GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose("config", [opened(o) for o in overrides])
    except (ConfigCompositionException, MissingConfigException) as error:
        raise PinnlabError(_explained(error)) from error
    except Exception as error:  # a value of the wrong type, or an override that cannot be parsed
        raise PinnlabError(str(error).splitlines()[0]) from error


def saved(folder: Path) -> DictConfig:
    """The configuration that a run left in its folder.

    Raises:
        PinnlabError: there is none.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise PinnlabError(f"'{folder}' is no run folder: it holds no config.yaml")
    register()
    return OmegaConf.merge(OmegaConf.structured(Schema), OmegaConf.load(path))  # type: ignore


def _explained(error: Exception) -> str:
    """Hydra's message, with what exists where a key does not."""
    message = str(error.__cause__ or error)
    match = re.search(r"Could not override '([^']+)'", str(error))
    if not match:
        return str(error).strip()
    key = match.group(1)
    if "is not in struct" in message or "not in struct" in str(error):
        parent, _, leaf = key.rpartition(".")
        node: Any = composed([])
        for part in parent.split(".") if parent else []:
            node = node[part]
        try:
            choose(f"key{f' of {parent}' if parent else ''}", leaf, [str(k) for k in node])
        except PinnlabError as better:
            return str(better)
    return f"{key}: {message.splitlines()[0]}"
