"""The memory that a training needs, said and checked before anything of its size is made."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from pinnlab.core.errors import PinnlabError
from pinnlab.optimizers import Gradient, MatrixFree, Optimizer
from pinnlab.run.plan import Plan
from pinnlab.terms import Problem
from pinnlab.terms.mesh import count
from pinnlab.train import Phase, Trainer
from pinnlab.train.compiled import Compiled

# What to turn to, by its name in configs/optimizer: neither keeps a matrix of N x P or P x P
_FRUGAL: dict[str, Optimizer] = {
    "matrix_free": MatrixFree(),
    "adam": Gradient(optax.adam(1e-3)),
}


def check_memory(plan: Plan, free: int | None = None) -> str:
    """A line on the phase that needs most memory; nothing is computed but shapes.

    Arguments:
        free: bytes that may be used; by default what the machine or accelerator has left.

    Raises:
        PinnlabError: more than is free, with what may be changed.
    """
    free = available() if free is None else free
    trainer, seeds = plan.trainer, plan.trainer.seeds
    need, key, size, name = 0, "", (0, 0), ""
    # rows differ in number by the points alone: all legs have the terms of the first
    first = plan.legs[0].problem
    shared = _rows(first, trainer.phases, trainer)
    for number, leg in enumerate(plan.legs):
        phases = leg.phases or trainer.phases
        counts = _rows(first, phases, trainer) if leg.phases else shared
        for i, (phase, rows) in enumerate(zip(phases, counts, strict=True)):
            here = rows, leg.problem.size
            wanted = _bytes(phase.optimizer, *here, seeds)
            if wanted > need:
                key = f"phases[{i}]" if leg.phases is None else f"stages[{number - 1}].phases[{i}]"
                need, size, name = wanted, here, _name(phase.optimizer)
    line = f"{name}: {size[0]:,} rows x {size[1]:,} parameters, about {_said(need)}"
    if free is None or need <= free:
        return line
    fit = [other for other, method in _FRUGAL.items() if _bytes(method, *size, seeds) <= free]
    wider = [f"optimizer={other}" for other in fit if other != name]
    less = [f"{key}.points", "network.width", *(["seeds"] if seeds > 1 else [])]
    raise PinnlabError(
        f"{line} of memory, but {_said(free)} are free; lower "
        + " or ".join(less)
        + (f", or take {' or '.join(wider)}" if wider else "")
    )


def _name(method: Optimizer) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(method).__name__).lower()


def available() -> int | None:
    """Free bytes where the run computes, or None if nobody tells."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    if jax.default_backend() != "cpu":
        return None
    found = [bytes_ for bytes_ in (_of_system(), _of_group()) if bytes_ is not None]
    return min(found, default=None)


def _of_system() -> int | None:
    """What the system can give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(n.split()[1]) for n in lines if n.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container or a batch system leaves, where it sets a limit."""
    try:
        limit = int((folder / "memory.max").read_text())
        return max(0, limit - int((folder / "memory.current").read_text()))
    except (OSError, ValueError):  # no such group, or the limit is "max"
        return None


def _rows(problem: Problem, phases: Sequence[Phase], trainer: Trainer) -> list[int]:
    """The rows of all terms in each phase: a term has as many at each of its points."""
    params = jax.eval_shape(lambda: problem.init(jax.random.key(0)))
    seeds = np.arange(1)
    programs = (Compiled(problem, phase, trainer.weights, 0, seeds) for phase in phases)
    batches = [compiled.like(params) for compiled in programs]
    width = {
        name: jax.eval_shape(partial(problem.raw, name), params, columns).shape[1]
        for name, columns in batches[0].items()
    }
    return [sum(width[name] * count(own) for name, own in batch.items()) for batch in batches]


def _bytes(method: Optimizer, rows: int, parameters: int, seeds: int) -> int:
    """What one step holds, and the states of the other seeds."""
    itemsize = jnp.dtype(jnp.result_type(float)).itemsize
    need = method.memory(rows, parameters, itemsize)
    if seeds == 1 or jax.default_backend() != "cpu":  # accelerators take all seeds at once
        return need * seeds
    like = jax.ShapeDtypeStruct((parameters,), jnp.result_type(float))
    state = jax.tree.leaves(jax.eval_shape(method.init, like))
    return need + (seeds - 1) * sum(leaf.size * leaf.dtype.itemsize for leaf in state)


def _said(count: float) -> str:
    power = 0
    while count >= 1000 and power < 4:
        count, power = count / 1000, power + 1
    return f"{count:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
