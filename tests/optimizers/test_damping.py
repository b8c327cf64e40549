"""The damped solve in its two forms, and what a step does to the damping."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.optimizers.damping import adapted, damped_solver


@pytest.mark.parametrize("n, p", [(30, 10), (10, 30), (12, 12)])
def test_the_solve_is_that_of_the_normal_equations(n, p):
    random = np.random.default_rng(0)
    a, b = random.normal(size=(n, p)), random.normal(size=n)
    solve, mu = damped_solver(jnp.asarray(a), jnp.asarray(1e-2))
    assert float(mu) == pytest.approx(1e-2 * np.sum(a**2) / min(n, p))
    exact = np.linalg.solve(a.T @ a + float(mu) * np.eye(p), a.T @ b)
    np.testing.assert_allclose(solve(jnp.asarray(b)), exact, rtol=1e-9, atol=1e-12)


def after(decrease, promised, loss=1.0, mu=1e-2, growth=2.0):
    """Taken or not, and the new damping and growth."""
    state = {"mu": jnp.asarray(mu), "growth": jnp.asarray(growth)}
    numbers = (jnp.asarray(float(x)) for x in (decrease, promised, loss))
    good, new = adapted(state, *numbers, smallest=1e-6, largest=1e3)
    return bool(good), float(new["mu"]), float(new["growth"])


def test_a_kept_promise_lowers_the_damping_to_a_fifth_and_half_of_one_keeps_it():
    assert after(1.0, 1.0) == (True, pytest.approx(2e-3), 2.0)
    assert after(0.5, 1.0) == (True, pytest.approx(1e-2), 2.0)
    assert after(1e-3, 1.0) == (True, pytest.approx(2e-2, rel=1e-2), 2.0)


@pytest.mark.parametrize("decrease", [-1.0, np.nan, -np.inf])
def test_rejected_steps_raise_it_ever_faster(decrease):
    taken, mu, growth = after(decrease, 1.0)
    assert not taken and (mu, growth) == (pytest.approx(2e-2), 4.0)
    assert after(decrease, 1.0, mu=mu, growth=growth)[1:] == (pytest.approx(8e-2), 8.0)


def test_what_rounding_hides_raises_nothing():
    assert after(-1e-17, 1e-17) == (False, pytest.approx(5e-3), 2.0)


def test_the_range_is_kept():
    assert after(1.0, 1.0, mu=1e-6)[1] == 1e-6
    assert after(-1.0, 1.0, mu=1e3)[1] == 1e3
