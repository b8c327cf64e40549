"""Compiling a function, by what the program is for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Options = dict[str, str | bool]

_LOOPS: Options = {"xla_cpu_use_fusion_emitters": False}
_PLAIN: Options = {"xla_backend_optimization_level": "0"}
# On a processor in double precision, XLA's older way to make loops compiles in half of the time,
# and what it makes is up to 1.7 times faster (measured on Levenberg-Marquardt steps); in single
# precision it is slower. Plain code compiles in a fifth of the time.
_OFTEN = {("cpu", "float64"): _LOOPS}
_ONCE = {"cpu": {**_LOOPS, **_PLAIN}}


def in_two_ways() -> bool:
    """Whether a program that does not run often is compiled otherwise than one that does."""
    return jax.default_backend() in _ONCE


def program(function: Callable[..., Any], *args: Any, often: bool = True) -> Any:
    """The program of *function* for arguments like *args*.

    One that does not run *often* is compiled with less care, where the backend offers that: soon
    there, and slower where loops count; products and factorizations are as fast.
    """
    backend = jax.default_backend()
    wanted = _OFTEN.get((backend, jnp.result_type(float).name), {}) if often else _ONCE.get(backend)
    options = dict(wanted) if wanted and _known(tuple(wanted.items())) else None
    return jax.jit(function).lower(*args).compile(compiler_options=options)


@functools.cache
def _known(options: tuple[tuple[str, str | bool], ...]) -> bool:
    """Whether this XLA has the *options*: their names are no promise of later ones."""
    try:
        jax.jit(lambda: jnp.zeros(())).lower().compile(compiler_options=dict(options))
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return False
    return True
