"""The shape of a configuration, and its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

# What may differ between a run and its continuation
_FREE = ("budget", "quiet", "figures", "format", "gate", "hydra")


@dataclass
class Schema:
    """The keys that every experiment has; Hydra checks names and types against it."""

    name: str = MISSING
    title: str = MISSING
    summary: str = ""
    keywords: list[str] = field(default_factory=list)
    references: str = ""
    license: str = "CC-BY-4.0"
    comment: str = ""
    equation: dict[str, Any] = field(default_factory=dict)
    coefficients: dict[str, Any] = field(default_factory=dict)
    infer: list[str] = field(default_factory=list)
    priors: dict[str, Any] = field(default_factory=dict)
    observations: dict[str, Any] | None = None
    method: str = "pinn"
    classical: dict[str, Any] | None = None
    baselines: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] | None = None
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] | None = None
    sampler: dict[str, Any] | None = None
    weights: dict[str, Any] | None = None
    phases: list[Any] = field(default_factory=list)
    output: dict[str, Any] = field(default_factory=dict)
    gate: list[Any] = field(default_factory=list)
    seed: int = 0
    seeds: int = 1
    steps: int | None = None
    budget: Any = None
    precision: str = "float64"
    format: str = "netcdf"
    figures: bool = True
    quiet: bool = False
    folder: str = ""


def register() -> None:
    """Tell Hydra of the schema."""
    ConfigStore.instance().store(name="schema", node=Schema)


def fingerprint(cfg: DictConfig) -> str:
    """SHA-256 of all that a result depends on: not of budget, verbosity and formats."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(plain, dict)
    kept = {k: v for k, v in plain.items() if k not in _FREE}
    text = OmegaConf.to_yaml(OmegaConf.create(kept), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
