"""Precision as a property of a run, never of an import."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax

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
