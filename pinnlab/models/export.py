"""A trained operator as a StableHLO program, which runs without pinnlab.

The parameters are inside. Spectral layers are written as products with the rows of the transform
that they keep (``transform=dft``), so that the program holds no Fourier transform, which not every
runtime has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from pinnlab.core.errors import PinnlabError, choose
from pinnlab.core.grid import Grid
from pinnlab.core.precision import precision
from pinnlab.equations.family import Family
from pinnlab.models.operatorreading import OperatorReading, predicted

PLATFORMS = ("cpu", "cuda", "tpu")


def given_out(reading: OperatorReading) -> tuple[str, ...]:
    """The variables that an operator gives, in order."""
    return reading.model.outputs or reading.family.equation.variables.names


def serialized(program: jax.export.Exported) -> bytes:
    """What ``jax.export.deserialize`` reads.

    Raises:
        PinnlabError: flatbuffers, in whose form JAX writes programs, is not installed.
    """
    try:
        return bytes(program.serialize())
    except ImportError as error:
        raise PinnlabError(
            "export: flatbuffers is not installed; run: pip install flatbuffers"
        ) from error


def exported(
    reading: OperatorReading,
    family: Family,
    grid: Grid,
    numbers: Sequence[str] = (),
    batch: int | None = None,
    platforms: Sequence[str] = PLATFORMS,
) -> jax.export.Exported:
    """The map from (N, ...) inputs to (N, *grid) solutions, all in SI.

    Its arguments are the family's inputs in order: (N, *family.grid) functions, or (N,) numbers
    where the name is among *numbers*. It gives a tuple, one array for each of
    :func:`given_out`: the mean over seeds, and after them, if there are several seeds, the
    standard deviations in the same order.

    Arguments:
        family: with the grid on which functions are given.
        grid: where the solution is wanted.
        numbers: names of the family's inputs that are no functions.
        batch: N; any if None.
        platforms: names of JAX's; one program serves all of them.

    Raises:
        PinnlabError: a batch below one, an unknown platform, or a network that does not take a
            batch of any size.
    """
    if batch is not None and batch < 1:
        raise PinnlabError(f"export: batch={batch} must be at least 1, or None for any number")
    for name in platforms:
        choose("platform (export)", name, PLATFORMS)
    for name in numbers:
        choose("input (export, numbers)", name, family.names)
    network = reading.model.network
    if hasattr(network, "transform"):
        network = network.clone(transform="dft")
    plain = replace(reading, model=replace(reading.model, network=network))

    def forward(*inputs: Any) -> tuple[Any, ...]:
        given = dict(zip(family.names, inputs, strict=True))
        found = predicted(plain, family, grid, given)
        each = [found[name] for name in given_out(reading)]
        means = tuple(jnp.mean(v, axis=0) for v in each)
        return means + tuple(jnp.std(v, axis=0) for v in each) if reading.seeds > 1 else means

    with precision(reading.dtype):
        n = jax.export.symbolic_shape("n")[0] if batch is None else batch
        shapes = [(n,) if name in numbers else (n, *family.grid.shape) for name in family.names]
        arguments = [jax.ShapeDtypeStruct(shape, reading.dtype) for shape in shapes]
        lower = jax.export.export(jax.jit(forward), platforms=list(platforms))
        try:
            return lower(*arguments)
        except (TypeError, ValueError, NotImplementedError) as error:
            if batch is not None:
                raise
            raise PinnlabError(
                f"export: {reading.model.name} cannot be exported for any number of members "
                f"({str(error).splitlines()[0]}); give one, as batch=64"
            ) from error
