r"""Dense quasi-Newton methods: self-scaled Broyden and BFGS, with a strong-Wolfe line search.

.. math::
    H^+ = \frac1\tau\Bigl(H - \frac{H y y^\top H}{y^\top H y} + \varphi\, v v^\top\Bigr)
        + \frac{s s^\top}{y^\top s}, \qquad
    v = \sqrt{y^\top H y}\Bigl(\frac{s}{y^\top s} - \frac{H y}{y^\top H y}\Bigr)

H approximates the inverse Hessian, s and y are the changes of parameters and gradient. BFGS is
:math:`\tau = \varphi = 1`. The self-scaled method chooses both in each step, which bounds the
eigenvalues of H where the Hessian is badly scaled. After Al-Baali, Spedicato & Maggioni,
*Broyden's quasi-Newton methods for a nonlinear system of equations and unconstrained optimization*,
Optim. Methods Softw. 29, 2014, 937-954; for physics-informed networks Urbán, Stefanou & Pons,
J. Comput. Phys. 523, 2025, 113656.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from pinnlab.core.errors import choose
from pinnlab.optimizers.base import Objective, Optimizer, value_and_grad

UPDATES = ("ss_broyden", "bfgs")


@dataclass(frozen=True)
class QuasiNewton(Optimizer):
    """Self-scaled Broyden or BFGS; for networks of up to a few thousand parameters.

    A step costs one or two gradients and some passes over a P x P matrix, so that it is cheaper
    than a Gauss-Newton step, but ten to a hundred times as many are needed. Start from what some
    hundred steps of Adam or Levenberg-Marquardt leave, and draw new points seldom: the curvature
    learned belongs to the points.

    Arguments:
        update: ``ss_broyden`` or ``bfgs``.
        searches: most evaluations of one line search.
        chunk: steps compiled into one call.

    Raises:
        PinnlabError: another update.
    """

    update: str = "ss_broyden"
    searches: int = 20
    chunk: int = 50

    def __post_init__(self) -> None:
        choose("update (optimizer.update)", self.update, UPDATES)

    def init(self, params: Any) -> Any:
        flat = ravel_pytree(params)[0]
        nothing = jnp.full((), jnp.nan, flat.dtype)
        return {
            "inverse": jnp.eye(flat.size, dtype=flat.dtype),
            "plain": jnp.asarray(True),  # whether H is still a multiple of the identity
            "at": flat,
            "value": nothing,
            "grad": jnp.zeros_like(flat),
            "mark": nothing,
        }

    def memory(self, rows: int, parameters: int, itemsize: int) -> int:
        """The state, and the new H beside the old one."""
        return super().memory(rows, parameters, itemsize) + parameters**2 * itemsize

    def step(
        self, objective: Objective, params: Any, state: Any, batch: Any, weights: Any
    ) -> tuple[Any, Any, Any]:
        flat, unravel = ravel_pytree(params)
        loss = _loss(objective, unravel, batch, weights)
        # The search before has left value and gradient here, unless points or weights are new.
        mark = _mark((batch, weights), flat.dtype)
        known = (mark == state["mark"]) & jnp.all(flat == state["at"])
        value, grad = jax.lax.cond(
            known, lambda _: (state["value"], state["grad"]), jax.value_and_grad(loss), flat
        )
        newton = -state["inverse"] @ grad
        # an untried direction is as long as the gradient: begin with a length of one at most
        length = jnp.where(state["plain"], jnp.maximum(1.0, jnp.linalg.norm(newton)), 1.0)
        direction = newton / length
        search = optax.scale_by_zoom_linesearch(self.searches, initial_guess_strategy="one")
        change, found = search.update(
            direction, search.init(flat), flat, value=value, grad=grad, value_fn=loss
        )
        good = (found.value < value) & jnp.all(jnp.isfinite(found.grad))
        good &= jnp.vdot(direction, grad) < 0
        s = jnp.where(good, change, 0.0)
        y = jnp.where(good, found.grad - grad, 0.0)
        new = {
            "inverse": self._updated(state, s, y, found.learning_rate / length, grad, good),
            "plain": ~good,
            "at": flat + s,
            "value": jnp.where(good, found.value, value),
            "grad": jnp.where(good, found.grad, grad),
            "mark": mark,
        }
        return unravel(new["at"]), new, value

    def _updated(self, state: Any, s: Any, y: Any, alpha: Any, grad: Any, good: Any) -> Any:
        """H after the step s = -alpha H g; the identity after a failed one, which was misled."""
        inverse, tiny = state["inverse"], jnp.finfo(s.dtype).eps
        ys, hy = jnp.vdot(y, s), inverse @ y
        yhy = jnp.vdot(y, hy)
        usable = good & (ys > tiny * jnp.linalg.norm(s) * jnp.linalg.norm(y)) & (yhy > 0)
        ys, yhy = jnp.where(usable, ys, 1.0), jnp.where(usable, yhy, 1.0)
        # A first H has no scale of its own: give it that of the pair (Nocedal & Wright, 6.20).
        scale = jnp.where(state["plain"] & usable, ys / yhy, 1.0)
        tau = phi = jnp.ones_like(ys)
        if self.update == "ss_broyden":
            b, h = -alpha * jnp.vdot(s, grad) / (ys * scale), yhy * scale / ys
            tau, phi = self_scaling(jnp.where(usable, b, 1.0), h, s.size)
        new = broyden_inverse(inverse * scale, s, y, tau, phi)
        return jnp.where(good, jnp.where(usable, new, inverse), jnp.eye(s.size, dtype=s.dtype))


def broyden_inverse(inverse: Any, s: Any, y: Any, tau: Any, phi: Any) -> Any:
    """The (P, P) inverse Hessian updated by one pair, as at the head of this module."""
    ys, hy = jnp.vdot(y, s), inverse @ y
    yhy = jnp.vdot(y, hy)
    v = jnp.sqrt(yhy) * (s / ys - hy / yhy)
    kept = inverse - jnp.outer(hy, hy) / yhy + phi * jnp.outer(v, v)
    return kept / tau + jnp.outer(s, s) / ys


def self_scaling(b: Any, h: Any, size: int) -> tuple[Any, Any]:
    r"""The scaling :math:`\tau` and the coefficient :math:`\varphi` of the self-scaled method.

    Arguments:
        b: :math:`s^\top H^{-1} s / y^\top s`.
        h: :math:`y^\top H y / y^\top s`.
        size: number of parameters.
    """
    a = jnp.maximum(h * b - 1.0, jnp.finfo(h.dtype).eps)  # Cauchy-Schwarz: never below zero
    lower = jnp.minimum(1.0, h * (1.0 - jnp.sqrt(a / (a + 1.0))))
    theta = jnp.maximum((lower - 1.0) / a, jnp.minimum(1.0 / lower, (1.0 - b) / b))
    sigma = 1.0 + a * theta
    power = sigma ** (-1.0 / max(size - 1, 1))
    first = jnp.minimum(1.0, 1.0 / b)
    positive = first * jnp.minimum(power, 1.0 / jnp.where(theta > 0, theta, 1.0))
    tau = jnp.where(theta > 0, positive, jnp.minimum(first * power, sigma))
    return tau, (1.0 - theta) / sigma


def _loss(objective: Any, unravel: Callable[[Any], Any], batch: Any, weights: Any) -> Any:
    """The loss of flat parameters, its gradient made in the objective's own way."""

    @jax.custom_vjp
    def loss(theta: Any) -> Any:
        return objective.loss(unravel(theta), batch, weights)

    def forward(theta: Any) -> tuple[Any, Any]:
        value, grad = value_and_grad(objective, unravel(theta), batch, weights)
        return value, ravel_pytree(grad)[0]

    loss.defvjp(forward, lambda grad, bar: (bar * grad,))
    return loss


def _mark(tree: Any, dtype: Any) -> Any:
    """A number that differs where the arrays differ."""
    total = jnp.zeros((), dtype)
    for i, leaf in enumerate(jax.tree.leaves(tree)):
        values = jnp.ravel(leaf).astype(dtype)
        total += (i + 1.0) * jnp.vdot(values, 1.0 + values)
    return total
