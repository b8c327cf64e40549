r"""Test-time tuning: a trained operator fitted to the equation of one given member.

.. math:: \min_\theta \frac1{|\Omega|}\int_\Omega
    \Bigl(\frac{R[G_\theta(a)]}{s}\Bigr)^2 dx \quad\text{for one } a, \text{ from the trained }
    \theta

No solution enters. The residual stands on a grid, of whose own error the tuned operator is not
free. After Li et al., *Physics-informed neural operator for learning partial differential
equations*, ACM/IMS J. Data Sci. 1, 2024.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from omegaconf import OmegaConf

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import Grid
from pinnlab.core.precision import precision
from pinnlab.models.export import given_out
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.optimizers import Gradient, Optimizer, soap
from pinnlab.terms import Problem
from pinnlab.terms.instances import INPUT, PhysicsTerm
from pinnlab.train import Phase, Trainer

_STEPS = 10_000_000  # more than any budget takes
_RATE, _HALVED = 5e-3, 200  # the first learning rate, and the steps after which it is half


@dataclass(frozen=True, eq=False)
class _Continued(Problem):
    """A problem that is trained on from *start*: parameters, with a leading axis of *seeds*."""

    start: Any = None
    seeds: int = 1

    def init(self, key: Any) -> Any:
        own = self.start
        if self.seeds > 1:  # the one of this key, which the trainer makes of the seed's number
            keys = jax.vmap(jax.random.key)(jnp.arange(self.seeds))
            same = jnp.all(jax.random.key_data(keys) == jax.random.key_data(key), axis=-1)
            own = jax.tree.map(lambda a: jnp.asarray(a)[jnp.argmax(same)], own)
        return {"network": own, "equation": {}}


def tuned_reading(
    reading: OperatorReading,
    values: Mapping[str, np.ndarray],
    grid: Grid,
    seconds: float,
    steps: int | None = None,
    optimizer: Optimizer | None = None,
    norm: str = "mean",
) -> tuple[OperatorReading, dict[str, Any]]:
    """The *reading* with parameters tuned in their own precision, and what is known of the tuning.

    Arguments:
        values: (1, ...) inputs of the member, by name.
        grid: where the residual stands; the tuned model's own from then on.
        seconds: wall time, compiling included; it ends after the chunk of steps that passes it.
        steps: at most so many.
        optimizer: SOAP with a falling learning rate if None.
        norm: of the residual (:class:`~pinnlab.terms.instances.PhysicsTerm`).

    Raises:
        PinnlabError: no residual can be asked of the model, more members than one, or a time that
            is not positive.
        DivergenceError: the loss is no longer finite.
    """
    begun = time.monotonic()
    reading = replace(reading, model=reading.model.single())  # images are members of their own
    _check(reading, values, seconds)
    falling = soap(lambda step: _RATE / (1.0 + (step / _HALVED) ** 2), frequency=5)
    chosen = optimizer or Gradient(falling, chunk=10)
    with precision(reading.dtype):
        problem = _problem(reading, values, grid, norm)
        start = {"network": problem.start, "equation": {}}
        loss = _loss(problem)
        before = loss(start)
        left = seconds - (time.monotonic() - begun)
        phases = [Phase(chosen, _STEPS if steps is None else steps, points=1)]
        trainer = Trainer(phases, budget=left, seeds=reading.seeds, fresh=1)
        done = trainer.fit(problem)
        after = loss(done.params)
    better = after < before
    params = jax.tree.map(np.asarray, done.params if better else start)
    facts = {
        "inputs": {name: _said(v[0]) for name, v in values.items()},
        "grid": dict(zip(grid.axes, grid.shape, strict=True)),
        "norm": norm,
        "optimizer": type(chosen).__name__ if optimizer else "soap",
        "loss_before": before,
        "loss_after": after if better else before,
        "steps": done.step,
        "seconds": time.monotonic() - begun,
        "compile_seconds": done.compile_seconds,
    }
    return replace(reading, params=params, model=replace(reading.model, grid=grid)), facts


def trained_norm(facts: Mapping[str, Any]) -> str:
    """The norm of the residual that an operator was trained on, by its configuration."""
    config: Any = OmegaConf.create(str(facts.get("config", "{}")))
    physics = (config.get("operator") or {}).get("physics") or {}
    return str(physics.get("norm", "mean"))


def _check(reading: OperatorReading, values: Mapping[str, np.ndarray], seconds: float) -> None:
    count, model = len(next(iter(values.values()))), reading.model
    time_axis = reading.family.equation.domain.time
    if not 0.0 < seconds < np.inf:
        raise PinnlabError(f"tuned: seconds={seconds:g} must be positive")
    if count != 1:
        raise PinnlabError(
            f"tuned: the dataset holds {count} members, and an operator is tuned to one; select "
            "one of them, as with ds.isel"
        )
    if time_axis is not None and time_axis not in model.grid.axes:
        raise PinnlabError(
            f"tuned: the operator gives the solution at the end of '{time_axis}' alone, where no "
            f"residual can be asked; train one with '{time_axis}' among the axes of operator.grid"
        )
    missing = set(reading.family.equation.variables.names) - set(given_out(reading))
    if missing:
        raise PinnlabError(
            f"tuned: the residual depends on {', '.join(sorted(missing))}, which the operator does "
            "not give; train one that gives all variables"
        )
    if not model.exact:
        raise PinnlabError(
            "tuned: this operator satisfies its conditions by training only (model.exact=false), "
            "and the residual alone has many solutions; train one with model.exact=true"
        )


def _problem(
    reading: OperatorReading, values: Mapping[str, np.ndarray], grid: Grid, norm: str
) -> _Continued:
    """The residual of the one member, from the trained parameters."""
    columns = {INPUT + name: jnp.asarray(v, jnp.result_type(float)) for name, v in values.items()}
    term = PhysicsTerm(reading.on(values), grid, lambda key, n, step: columns, norm=norm)
    start = jax.tree.map(jnp.asarray, reading.params["network"])
    return _Continued(
        reading.family.equation,
        reading.model,  # type: ignore[arg-type]
        [term],
        start=start,
        seeds=reading.seeds,
    )


def _loss(problem: _Continued) -> Any:
    """The mean over seeds of the loss, as a function of all parameters."""
    batch = {term.name: term.draw(None, 1, False) for term in problem.terms}

    def one(params: Any) -> Any:
        return sum(problem.losses(params, batch).values())  # type: ignore[arg-type]

    many = problem.seeds > 1
    mean = jax.jit(lambda p: jnp.mean(jax.lax.map(one, p)) if many else one(p))
    return lambda params: float(mean(params))


def _said(values: np.ndarray) -> dict[str, Any]:
    """What tells one input from another."""
    kept = np.ascontiguousarray(values, float)
    return {
        "mean": float(kept.mean()),
        "standard_deviation": float(kept.std()),
        "sha256": hashlib.sha256(kept.tobytes()).hexdigest(),
    }
