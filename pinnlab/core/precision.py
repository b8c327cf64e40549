"""Precision as a property of a run, never of an import."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.errors import choose

PRECISIONS = {"float32": False, "float64": True}


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Compute in ``float32`` or ``float64`` inside the block, matrix products at full precision.

    Raises:
        PinnlabError: another name.
    """
    wide = PRECISIONS[choose("precision", name, PRECISIONS)]
    with jax.enable_x64(wide), jax.default_matmul_precision("highest"):
        yield


def cast(tree: Any, name: str | None = None) -> Any:
    """The leaves of *tree* in another precision, by default in the one that is computed in.

    Integers stay. Shapes without values are cast too.
    """
    name = name or str(jnp.result_type(float))

    def one(leaf: Any) -> Any:
        if leaf.dtype == name or not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        if isinstance(leaf, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(leaf.shape, name)
        return np.asarray(leaf).astype(name)

    return jax.tree.map(one, tree)
