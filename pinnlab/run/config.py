"""The shape of a configuration, and its fingerprint."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, Container, DictConfig, OmegaConf

# What may differ between a run and its continuation
FREE = ("budget", "quiet", "figures", "format", "gate", "checkpoint_seconds", "certificate")


@dataclass
class Schema:
    """The keys that every experiment has; Hydra checks names and types against it."""

    name: str = MISSING
    title: str = "${name}"
    summary: str = ""
    keywords: list[str] = field(default_factory=list)
    references: str = ""
    license: str = "CC-BY-4.0"
    comment: str = ""
    conclusion: str = ""
    equation: dict[str, Any] = field(default_factory=dict)
    coefficients: dict[str, Any] = field(default_factory=dict)
    infer: list[str] = field(default_factory=list)
    priors: dict[str, Any] = field(default_factory=dict)
    observations: dict[str, Any] | None = None
    method: str = "pinn"
    operator: dict[str, Any] | None = None
    classical: dict[str, Any] | None = None
    certificate: bool = True
    baselines: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] | None = None
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] | None = None
    sampler: dict[str, Any] | None = None
    weights: dict[str, Any] | None = None
    phases: list[Any] = field(default_factory=list)
    stages: list[Any] = field(default_factory=list)
    windows: Any = None
    output: dict[str, Any] = field(default_factory=dict)
    gate: list[Any] = field(default_factory=list)
    seed: int = 0
    seeds: int = 1
    steps: int | None = None
    budget: Any = None
    checkpoint_seconds: float = 10.0
    precision: str = "float64"
    format: str = "netcdf"
    figures: bool = True
    quiet: bool = False


KEYS = tuple(f.name for f in fields(Schema))


def register() -> None:
    """Tell Hydra of the schema.

    Only the keys above are fixed: what stands inside of them is checked by the class that it
    builds, which knows its own arguments, so that defaults need not be repeated in yaml.
    """
    schema = OmegaConf.structured(Schema)
    for key in KEYS:
        node = schema._get_node(key)
        if isinstance(node, Container):
            OmegaConf.set_struct(node, False)
    ConfigStore.instance().store(name="schema", node=schema)
    # Hydra logs what it raises; without a handler Python would print that beside our message
    logging.getLogger("hydra").addHandler(logging.NullHandler())


def fingerprint(cfg: DictConfig) -> str:
    """SHA-256 of all that a result depends on: not of budget, verbosity and formats."""
    text = OmegaConf.to_yaml(OmegaConf.create(decisive(cfg)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def decisive(cfg: DictConfig) -> dict[str, Any]:
    """The part of a configuration that a result depends on, as plain values."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    return {str(k): v for k, v in plain.items() if k not in FREE}
