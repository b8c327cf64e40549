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
    return _options(often=True) != _options(often=False)


def program(function: Callable[..., Any], *args: Any, often: bool = True) -> Any:
    """The program of *function* for arguments like *args*.

    One that does not run *often* is compiled with less care, where the backend offers that: soon
    there, and slower where loops count; products and factorizations are as fast.
    """
    return jax.jit(function).lower(*args).compile(compiler_options=_options(often))


def _options(often: bool) -> Options | None:
    """The first that this backend has, and this XLA knows, in the current precision."""
    backend = jax.default_backend()
    well, soon = _OFTEN.get((backend, jnp.result_type(float).name)), _ONCE.get(backend)
    wanted = [options for options in ((well,) if often else (soon, well)) if options]
    return next((dict(found) for found in wanted if _known(tuple(found.items()))), None)


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
