"""Equations by name: ``from pinnlab.equations import Burgers``.

There is no registry: the class ``KortewegDeVries`` is in the module ``korteweg_de_vries`` of one
of the packages beside this file, and is imported when it is asked for.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pinnlab.equations.base import Equation, equation

__all__ = ["Equation", "available", "equation"]


def available() -> dict[str, str]:
    """The equations that exist, name to dotted path, without importing any of them."""
    found = {}
    for package in pkgutil.iter_modules(__path__):
        if not package.ispkg:
            continue
        for module in pkgutil.iter_modules([f"{folder}/{package.name}" for folder in __path__]):
            if module.name.startswith("_"):  # what equations share
                continue
            name = "".join(word.title() for word in module.name.split("_"))
            found[name] = f"{__name__}.{package.name}.{module.name}.{name}"
    return dict(sorted(found.items()))


def __getattr__(name: str) -> Any:
    if name in ("Equation", "equation"):
        return getattr(importlib.import_module(f"{__name__}.base"), name)
    known = available()
    if name not in known:
        raise AttributeError(
            f"module '{__name__}' has no equation '{name}'. There are: {', '.join(known)}"
        )
    return getattr(importlib.import_module(known[name].rpartition(".")[0]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *available()])
