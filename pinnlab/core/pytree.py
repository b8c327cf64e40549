"""Frozen dataclasses as JAX pytrees whose leaves may be anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import jax


def register(cls: type, leaves: Sequence[str]) -> None:
    """Make a frozen dataclass a pytree with the fields *leaves*; the others are static.

    JAX rebuilds pytrees with placeholders and gradients for leaves, which no check of a
    constructor would let pass, so that rebuilding goes around ``__init__``.
    """
    static = [f.name for f in dataclasses.fields(cls) if f.name not in leaves]
    keys = [jax.tree_util.GetAttrKey(name) for name in leaves]

    def flatten(made: Any) -> tuple[list, tuple]:
        children = [(key, getattr(made, name)) for key, name in zip(keys, leaves, strict=True)]
        return children, tuple(getattr(made, name) for name in static)

    def unflatten(aux: tuple, children: Iterable[Any]) -> Any:
        new: Any = object.__new__(cls)
        for name, value in (*zip(static, aux, strict=True), *zip(leaves, children, strict=True)):
            object.__setattr__(new, name, value)
        return new

    jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)
