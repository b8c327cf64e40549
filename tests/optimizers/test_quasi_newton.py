"""The self-scaled Broyden family: its algebra, and minima that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import Rows, linear, rosenbrock, run

from pinnlab.core import PinnlabError
from pinnlab.optimizers import QuasiNewton
from pinnlab.optimizers.ss_broyden import broyden_inverse, self_scaling


def pair(seed, size=6):
    """A positive definite H, and a step with the gradient's change by another such matrix."""
    random = np.random.default_rng(seed)
    a, b, s = (random.normal(size=shape) for shape in ((size, size), (size, size), size))
    inverse, hessian = (m @ m.T + np.eye(size) for m in (a, b))
    return jnp.asarray(inverse), jnp.asarray(s), jnp.asarray(hessian @ s)


@pytest.mark.parametrize("seed", range(4))
def test_without_scaling_the_update_is_bfgs(seed):
    """tau = 1 and theta = 0 (phi = 1), against the product form of Nocedal & Wright, 6.17."""
    inverse, s, y = pair(seed)
    rho, eye = 1.0 / (y @ s), np.eye(len(s))
    left = eye - rho * np.outer(s, y)
    expected = left @ inverse @ left.T + rho * np.outer(s, s)
    np.testing.assert_allclose(broyden_inverse(inverse, s, y, 1.0, 1.0), expected, rtol=1e-10)


def test_on_the_exact_curvature_nothing_is_scaled():
    """s = H y gives a = 0, b = h = 1: every member of the family leaves H as it is."""
    inverse, _, y = pair(0)
    s = inverse @ y
    tau, phi = self_scaling(jnp.asarray(1.0), jnp.asarray(1.0), 6)
    np.testing.assert_allclose([tau, phi], 1.0, atol=1e-7)
    np.testing.assert_allclose(broyden_inverse(inverse, s, y, tau, phi), inverse, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_scaled_update_meets_the_secant_condition_and_stays_positive(seed):
    inverse, s, y = pair(seed)
    y = y * 10.0 ** (2 - seed)  # H too large, about right and too small
    b, h = s @ jnp.linalg.solve(inverse, s) / (y @ s), y @ inverse @ y / (y @ s)
    tau, phi = self_scaling(b, h, len(s))
    assert 0 < tau < 1 and (tau, phi) != (1.0, 1.0)
    new = broyden_inverse(inverse, s, y, tau, phi)
    np.testing.assert_allclose(new @ y, s, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(new, new.T)
    assert np.linalg.eigvalsh(new).min() > 0


def test_the_b_of_the_step_is_that_of_the_matrix():
    """What the step computes from the gradient is s' H^-1 s, which needs no inverse."""
    inverse, _, y = pair(1)
    grad, alpha = jnp.asarray(np.random.default_rng(5).normal(size=6)), 0.3
    s = -alpha * inverse @ grad
    y = y * jnp.sign(y @ s)
    method, true = QuasiNewton(), jnp.asarray(True)
    state = {"inverse": inverse, "plain": ~true}
    found = method._updated(state, s, y, alpha, grad, true)
    b, h = s @ jnp.linalg.solve(inverse, s) / (y @ s), y @ inverse @ y / (y @ s)
    expected = broyden_inverse(inverse, s, y, *self_scaling(b, h, 6))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("update", ["ss_broyden", "bfgs"])
def test_rosenbrock(update):
    end, _, losses = run(QuasiNewton(update), Rows(rosenbrock), jnp.asarray([-1.2, 1.0]), 60)
    np.testing.assert_allclose(end, [1.0, 1.0], atol=1e-10)
    assert losses[0] == pytest.approx(24.2) and all(np.diff(losses) <= 0)
    # Superlinear: more than ten digits in ten steps
    assert min(b / a for a, b in zip(losses, losses[10:], strict=False) if a > 1e-20) < 1e-10


@pytest.mark.parametrize("update", ["ss_broyden", "bfgs"])
def test_a_badly_scaled_quadratic_and_its_inverse_hessian(update):
    a, b, _ = linear(30, 8)
    a = a * jnp.logspace(0, 3, 8)
    end, state, _ = run(QuasiNewton(update), Rows(lambda x: a @ x - b), jnp.zeros(8), 120)
    expected = np.linalg.lstsq(a, b, rcond=None)[0]
    np.testing.assert_allclose(
        end * jnp.logspace(0, 3, 8), expected * np.logspace(0, 3, 8), atol=1e-7
    )
    assert np.linalg.eigvalsh(state["inverse"]).min() > 0


def test_other_points_are_noticed():
    """The value and gradient that a search leaves are used again for the same points only."""

    class Shifted:
        def loss(self, params, batch, weights):
            return jnp.sum((params - batch) ** 2)

    method, start = QuasiNewton(), jnp.asarray([3.0, -2.0])
    step = jax.jit(lambda p, s, batch: method.step(Shifted(), p, s, batch, None))
    params, state, first = step(start, method.init(start), jnp.zeros(2))
    same, again, second = step(params, state, jnp.zeros(2))
    assert float(first) == 13.0 and float(second) == float(state["value"])
    _, _, third = step(same, again, jnp.ones(2))
    assert float(third) == pytest.approx(float(jnp.sum((same - 1.0) ** 2)), rel=1e-12)


def test_the_objective_s_own_gradient_is_used():
    class Own(Rows):
        def value_and_grad(self, params, batch, weights):
            return jax.value_and_grad(lambda p: 2.0 * self.loss(p, batch, weights))(params)

    _, _, losses = run(QuasiNewton(), Own(rosenbrock), jnp.asarray([-1.2, 1.0]), 3)
    assert losses[0] == pytest.approx(48.4)


def test_points_that_are_not_finite_are_stepped_around():
    """log x has no value where the first steps from x = 30 may lead."""
    end, state, losses = run(QuasiNewton(), Rows(lambda x: jnp.log(x)), jnp.asarray([30.0]), 40)
    np.testing.assert_allclose(end, 1.0, rtol=1e-8)
    assert np.isfinite(losses).all() and np.isfinite(state["inverse"]).all()


def test_where_no_step_is_finite_nothing_moves():
    """The square root's gradient at its end is not finite."""
    broken = Rows(lambda x: jnp.where(x == 2.0, 1.0, jnp.nan * x))
    end, state, _ = run(QuasiNewton(), broken, jnp.asarray([2.0]), 3)
    np.testing.assert_array_equal(end, [2.0])
    np.testing.assert_array_equal(state["inverse"], np.eye(1))


def test_at_the_minimum_nothing_moves_or_breaks():
    end, state, _ = run(QuasiNewton(), Rows(rosenbrock), jnp.asarray([1.0, 1.0]), 3)
    np.testing.assert_array_equal(end, [1.0, 1.0])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


def test_another_update_is_refused():
    with pytest.raises(PinnlabError, match=r"unknown update.*'dfp'.*bfgs, ss_broyden"):
        QuasiNewton("dfp")
