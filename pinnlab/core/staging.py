"""Computing now, whatever JAX is tracing around."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp


@contextlib.contextmanager
def now_in_double() -> Iterator[None]:
    """Inside the block arrays are computed at once, in double precision.

    For what a compiled function needs as a constant (tables, structure found by trying). Also
    works while a function is being traced, as long as nothing traced is used; it compiles more
    slowly there.
    """
    staged = isinstance(jnp.zeros(()), jax.core.Tracer)
    with (
        jax.ensure_compile_time_eval() if staged else contextlib.nullcontext(),
        jax.enable_x64(True),
    ):
        yield
