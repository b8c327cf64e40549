"""The compiled pieces of a training phase, for one seed or (by vmap) several."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core.compiling import in_two_ways, program
from pinnlab.core.errors import PinnlabError
from pinnlab.core.precision import cast, precision
from pinnlab.sampling.points import Sampler, Uniform
from pinnlab.terms.base import MEASURE, Batch, Term
from pinnlab.terms.mesh import count as number
from pinnlab.terms.mesh import is_mesh, mesh_of
from pinnlab.terms.problem import Problem
from pinnlab.train.weights import Weighting

if TYPE_CHECKING:
    from pinnlab.train.legs import Given, Handover
    from pinnlab.train.trainer import Phase

State = dict[str, Any]  # params, given, optimizer, weights, batch


class Compiled:
    """Start, draw, advance and fresh loss of one phase; compile seconds are counted apart.

    Where it is *abstract*, it answers with shapes instead of arrays.
    """

    def __init__(
        self,
        problem: Problem,
        phase: Phase,
        weights: Weighting,
        fresh: int,
        seeds: np.ndarray,
        abstract: bool = False,
    ):
        self.problem, self.phase, self.weights = problem, phase, weights
        self.fresh_points, self.seeds, self.abstract = fresh, seeds, abstract
        self._programs: dict[tuple[str, bool], Any] = {}
        self._compile_seconds = 0.0

    def begin(self, handover: Handover, before: Problem, params: Any, leg: int) -> tuple:
        """What the *leg* starts from after *before*, whose parameters are *params*."""

        def one(seed: Any, params: Any, leg: Any) -> tuple:
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 3), leg)
            return handover(key, self.problem, before, params)

        return self._each(f"begin {id(before)}", one, params, leg, wide=True, often=False)

    def start(self, index: int, params: Any, weights: Any, given: Given | None = None) -> State:
        """The state at the start of phase *index*; new parameters where *params* is None."""
        many = len(self.seeds) > 1

        def one(seed: Any, params: Any, weights: Any, given: Given, index: Any) -> State:
            key, here = jax.random.key(seed), self._with(given)
            params = here.problem.init(key) if params is None else params
            weights = self.weights.init(here.problem) if weights is None else weights
            batch = here._batch(jax.random.fold_in(key, 7 + index), params, self.phase.points, True)
            batch = self.weights.enter(here.problem, batch)
            made = {"params": params, "given": given, "weights": weights, "batch": batch}
            return {**made, "optimizer": self.phase.optimizer.init(params)}

        function = jax.vmap(one, in_axes=(0, 0, 0, 0, None)) if many else one
        name = f"start {params is None} {weights is None}"
        params, weights, given = cast((params, weights, given or {}), self.phase.precision)
        args = (self._seeds, params, weights, given, np.int32(index))
        return self._run(name, function, *args, often=False)

    def whole(self, state: State) -> Any:
        """The parameters with what was given to them."""
        return replace(self.problem, given=state["given"]).whole(state["params"])

    def like(self, params: Any) -> dict[str, Batch]:
        """The shapes of a batch, for those of the parameters."""
        key, n = jax.random.key(0), self.phase.points
        return jax.eval_shape(lambda own: self._batch(key, own, n, False), params)

    def draw(self, state: State, step: int, early: bool = False) -> State:
        """The state with new points; *early* as for steps."""

        def one(seed: Any, state: State, step: Any) -> State:
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), step)
            here = self._with(state["given"])
            batch = here._batch(key, state["params"], self.phase.points, True)
            batch = here._retained(state["params"], batch, state["batch"])
            return {**state, "batch": self.weights.enter(here.problem, batch, state["batch"])}

        return self._each("draw", one, state, step, often=not early)

    def advance(
        self, state: State, n: int, inside: int = 0, early: bool = False
    ) -> tuple[State, np.ndarray, bool]:
        """*n* steps, the loss before the last one, and whether it and all parameters are finite.

        *inside* is the number of the first. *Early* ones run on a program that is there soon.
        """

        def one(seed: Any, state: State, count: Any) -> tuple[State, Any, Any]:
            n, inside = count[0], count[1]
            batch, attentive = state["batch"], self.weights.every > 0
            here = self._with(state["given"])
            weights = self.weights.update(here.problem, state["params"], batch, state["weights"])

            def body(i: Any, carry: tuple) -> tuple:
                params, optimizer, _loss, seen = carry
                if attentive:
                    seen = here._attended(i, params, *seen)
                now = seen or (self._part(batch, inside + i), weights)
                return *self.phase.optimizer.step(here.problem, params, optimizer, *now), seen

            zero = jnp.zeros((), jnp.result_type(float))
            seen = (batch, weights) if attentive else ()
            first = (state["params"], state["optimizer"], zero, seen)
            params, optimizer, loss, seen = jax.lax.fori_loop(0, n, body, first)
            end = {"params": params, "optimizer": optimizer}
            end["batch"], end["weights"] = seen or (batch, weights)
            finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((loss, params))]
            return {**state, **end}, loss, jnp.all(jnp.asarray(finite))

        state, loss, finite = self._each("advance", one, state, [n, inside], often=not early)
        return state, np.asarray(loss), bool(np.asarray(finite).all())

    def fresh(self, state: State, step: int, early: bool = False) -> dict[str, np.ndarray]:
        """Each term's mean square at points that no step has seen; *early* as for steps."""

        def one(seed: Any, state: State, step: Any) -> dict[str, Any]:
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2), step)
            here = self._with(state["given"])
            batch = here._batch(key, state["params"], self.fresh_points, False)
            return here.problem.losses(state["params"], batch)

        losses = self._each("fresh", one, state, step, often=not early)
        return {name: np.asarray(value) for name, value in losses.items()}

    def slope(self, state: State) -> float:
        """The largest derivative of the loss with respect to a parameter."""

        def one(seed: Any, state: State, step: Any) -> Any:
            here = self._with(state["given"]).problem
            found = jax.grad(here.loss)(state["params"], state["batch"], state["weights"])
            return jnp.max(jnp.asarray([jnp.max(jnp.abs(x)) for x in jax.tree.leaves(found)]))

        return float(np.max(self._each("slope", one, state, 0, often=False)))

    def take_compile_seconds(self) -> float:
        """Seconds spent compiling since the last call."""
        spent, self._compile_seconds = self._compile_seconds, 0.0
        return spent

    @property
    def _seeds(self) -> np.ndarray:
        seeds = self.seeds.astype(np.int32)
        return seeds if len(seeds) > 1 else seeds[0]

    def _each(self, name: str, one: Callable[..., Any], states: Any, last: Any, **how: Any) -> Any:
        """*one* of each seed and its state and the integers *last*: run under *name*."""
        args = (self._seeds, states, np.asarray(last, np.int32))
        return self._run(name, self._lifted(one), *args, **how)

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

    def _run(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        wide: bool = False,
        often: bool = True,
    ) -> Any:
        """Call the compiled *function*, compiling it under *name* the first time.

        It computes in the phase's own precision, or in that of the run if *wide*, and is compiled
        with care if it is called *often*.
        """
        own = None if wide else self.phase.precision
        with contextlib.nullcontext() if own is None else precision(own):
            if self.abstract:
                return jax.eval_shape(function, *args)
            key = name, often or not in_two_ways()
            if key not in self._programs:
                begun = time.monotonic()
                self._programs[key] = program(function, *args, often=often)
                self._compile_seconds += time.monotonic() - begun
            return self._programs[key](*args)

    def _with(self, given: Given) -> Compiled:
        """The same for a problem that knows what is *given*, inside of a trace."""
        here = copy.copy(self)
        here.problem = replace(self.problem, given=given)
        return here

    def _part(self, batch: dict[str, Batch], step: Any) -> dict[str, Batch]:
        """The points of one step: all, or one part after the other of a batch that is larger.

        A term whose points the parts do not divide (a few, or a mesh) is whole in every step.
        """
        parts = self.phase.parts

        def cut(column: Any) -> Any:
            size = column.shape[0] // parts
            return jax.lax.dynamic_slice_in_dim(column, (step % parts) * size, size)

        def whole(columns: Batch) -> bool:
            return parts == 1 or is_mesh(columns) or number(columns) % parts > 0

        return {n: own if whole(own) else jax.tree.map(cut, own) for n, own in batch.items()}

    def _attended(self, i: Any, params: Any, batch: Any, weights: Any) -> tuple[Any, Any]:
        """Batch and weights before step *i* of a chunk, new ones every so many steps."""
        return jax.lax.cond(
            i % self.weights.every == 0,
            lambda: self.weights.attend(self.problem, params, batch, weights),
            lambda: (batch, weights),
        )

    def _retained(self, params: Any, batch: dict, before: dict) -> dict[str, Batch]:
        """The new *batch* with those points of the one *before* that the sampler keeps."""
        made = dict(batch)
        for name in (term.name for term in self.problem.terms if term.adaptive):
            size = jnp.linalg.norm(self.problem.raw(name, params, before[name]), axis=1)
            keep = self.phase.sampler.keep(size)
            if keep is not None and is_mesh(before[name]):
                raise self._not_one_by_one(self.phase.sampler)
            if keep is not None:
                old = before[name]
                made[name] = {a: jnp.where(keep, old[a], new) for a, new in batch[name].items()}
        return made

    def _batch(self, key: Any, params: Any, points: int, adaptive: bool) -> dict[str, Batch]:
        """Columns of coordinates for every term."""
        batch: dict[str, Batch] = {}
        dtype = jnp.result_type(float)
        for i, (name, term) in enumerate(self.problem.by_name.items()):
            if term.fixed is not None:
                batch[name] = term.fixed
                continue

            def score(unit: Any, name: str = name) -> Any:
                columns = self.problem.by_name[name].place(unit, self.phase.reach)
                rows = self.problem.raw(name, params, columns)
                return jnp.linalg.norm(rows, axis=1)

            own, count = jax.random.fold_in(key, i), max(1, round(points * term.share))
            drawn = term.draw(own, count, adaptive)
            if drawn is not None:
                batch[name] = drawn
                continue
            sampler = self.phase.sampler if adaptive and term.adaptive else Uniform()
            count = count if term.dims else 1
            if getattr(self.problem.model, "tensor", False) and len(term.box) > 1:
                batch[name] = self._mesh(own, sampler, term, count)
            else:
                unit = sampler(own, count, term.dims, score, dtype)
                batch[name] = term.place(unit, self.phase.reach)
            measure = sampler.measure(number(batch[name]), term.dims, dtype)
            if measure is not None:
                batch[name] = {**batch[name], MEASURE: measure}
        return batch

    def _mesh(self, key: Any, sampler: Sampler, term: Term, points: int) -> Batch:
        """A tensor product of points, drawn along each axis by itself."""

        def score(unit: Any) -> Any:
            raise self._not_one_by_one(sampler)

        def draw(i: int, n: int) -> Any:
            dtype = jnp.result_type(float)
            return sampler(jax.random.fold_in(key, i), n, 1, score, dtype)[:, 0]

        axes = self.problem.equation.domain.axes
        return mesh_of(term, axes, points, draw, self.phase.reach)

    def _not_one_by_one(self, sampler: Sampler) -> PinnlabError:
        return PinnlabError(
            f"sampler: {type(sampler).__name__} chooses points one by one where the residual "
            f"is large, but {self.problem.model.name} takes the tensor product of points "
            "along each axis; give sampler=sobol or sampler=uniform"
        )
