"""The compiled pieces of a training phase, for one seed or (by vmap) several."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.sampling.points import Uniform
from pinnlab.terms.base import Batch
from pinnlab.terms.problem import Problem
from pinnlab.train.weights import Weighting

if TYPE_CHECKING:
    from pinnlab.train.trainer import Phase

State = dict[str, Any]  # params, optimizer, weights, batch


class Compiled:
    """Start, draw, advance and fresh loss of one phase; compile seconds are counted apart."""

    def __init__(
        self, problem: Problem, phase: Phase, weights: Weighting, fresh: int, seeds: np.ndarray
    ):
        self.problem, self.phase, self.weights = problem, phase, weights
        self.fresh_points, self.seeds = fresh, seeds
        self._programs: dict[str, Any] = {}
        self._compile_seconds = 0.0

    def start(self, index: int, params: Any, weights: Any) -> State:
        """The state at the start of phase *index*; new parameters where *params* is None."""
        many = len(self.seeds) > 1

        def one(seed: Any, params: Any, weights: Any) -> State:
            key = jax.random.key(seed)
            params = self.problem.init(key) if params is None else params
            weights = self.weights.init(self.problem) if weights is None else weights
            batch = self._batch(jax.random.fold_in(key, 7 + index), params, self.phase.points, True)
            optimizer = self.phase.optimizer.init(params)
            return {"params": params, "optimizer": optimizer, "weights": weights, "batch": batch}

        function = jax.vmap(one) if many else one
        return self._run(f"start{params is None}", function, self._seeds, params, weights)

    def draw(self, state: State, step: int) -> State:
        """The state with new points."""

        def one(seed: Any, state: State, step: Any) -> State:
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), step)
            return {**state, "batch": self._batch(key, state["params"], self.phase.points, True)}

        return self._run("draw", self._lifted(one), self._seeds, state, np.int32(step))

    def advance(self, state: State, n: int) -> tuple[State, Any]:
        """*n* steps, and the loss before the last one."""

        def one(seed: Any, state: State, n: Any) -> tuple[State, Any]:
            batch = state["batch"]
            weights = self.weights.update(self.problem, state["params"], batch, state["weights"])

            def body(_: Any, carry: tuple) -> tuple:
                params, optimizer, _loss = carry
                return self.phase.optimizer.step(self.problem, params, optimizer, batch, weights)

            zero = jnp.zeros((), jnp.result_type(float))
            first = (state["params"], state["optimizer"], zero)
            params, optimizer, loss = jax.lax.fori_loop(0, n, body, first)
            return {**state, "params": params, "optimizer": optimizer, "weights": weights}, loss

        state, loss = self._run("advance", self._lifted(one), self._seeds, state, np.int32(n))
        return state, np.asarray(loss)

    def fresh(self, state: State, step: int) -> dict[str, np.ndarray]:
        """Each term's mean square at points that no step has seen."""

        def one(seed: Any, state: State, step: Any) -> dict[str, Any]:
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2), step)
            batch = self._batch(key, state["params"], self.fresh_points, False)
            return self.problem.losses(state["params"], batch)

        losses = self._run("fresh", self._lifted(one), self._seeds, state, np.int32(step))
        return {name: np.asarray(value) for name, value in losses.items()}

    def take_compile_seconds(self) -> float:
        """Seconds spent compiling since the last call."""
        spent, self._compile_seconds = self._compile_seconds, 0.0
        return spent

    @property
    def _seeds(self) -> np.ndarray:
        seeds = self.seeds.astype(np.int32)
        return seeds if len(seeds) > 1 else seeds[0]

    def _lifted(self, one: Callable[..., Any]) -> Callable[..., Any]:
        """*one* over the seeds, its last argument shared."""
        if len(self.seeds) == 1:
            return one
        if jax.default_backend() != "cpu":
            return jax.vmap(one, in_axes=(0, 0, None))
        # One after the other: XLA's batched contractions and factorizations on a processor take
        # several times as long as the same ones in turn (measured), and the cores are busy anyway.
        return lambda seeds, states, last: jax.lax.map(
            lambda pair: one(*pair, last), (seeds, states)
        )

    def _run(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call the compiled *function*, compiling it under *name* the first time."""
        if name not in self._programs:
            begun = time.monotonic()
            self._programs[name] = jax.jit(function).lower(*args).compile()
            self._compile_seconds += time.monotonic() - begun
        return self._programs[name](*args)

    def _batch(self, key: Any, params: Any, points: int, adaptive: bool) -> dict[str, Batch]:
        """Columns of coordinates for every term."""
        batch, dtype = {}, jnp.result_type(float)
        for i, (name, term) in enumerate(self.problem.by_name.items()):
            if term.fixed is not None:
                batch[name] = term.fixed
                continue

            def score(unit: Any, name: str = name) -> Any:
                columns = self.problem.by_name[name].place(unit, self.phase.reach)
                rows = self.problem.raw(name, params, columns)
                return jnp.linalg.norm(rows, axis=1)

            sampler = self.phase.sampler if adaptive and term.adaptive else Uniform()
            count = max(1, round(points * term.share)) if term.dims else 1
            unit = sampler(jax.random.fold_in(key, i), count, term.dims, score, dtype)
            batch[name] = term.place(unit, self.phase.reach)
        return batch
