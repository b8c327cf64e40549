"""Levenberg-Marquardt by QR: the same direction, and digits where Cholesky has none left."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import PinnlabError
from pinnlab.optimizers.levenberg_marquardt import LevenbergMarquardt, _by_cholesky, _by_qr


def test_both_factorizations_give_the_same_map():
    random = np.random.default_rng(0)
    for shape in ((30, 12), (12, 30)):
        jacobian, rows = jnp.asarray(random.normal(size=shape)), random.normal(size=shape[0])
        a, rows = _by_cholesky(jacobian, 1e-3, 4), jnp.asarray(rows)
        direction, b = _by_qr(jacobian, 1e-3, rows)
        np.testing.assert_allclose(a(rows), direction, rtol=1e-9)
        np.testing.assert_allclose(a(2.0 * rows), b(2.0 * rows), rtol=1e-9)


class Monomials:
    """Rows of a polynomial fit to exp on [0, 1]; the condition number is 1e10."""

    def rows(self, params, batch, weights):
        x = jnp.linspace(0, 1, 60)
        return x[:, None] ** jnp.arange(14) @ params - jnp.exp(x)

    def jacobian(self, params, batch, weights):
        table = jnp.linspace(0, 1, 60)[:, None] ** jnp.arange(14)
        return table @ params - jnp.exp(jnp.linspace(0, 1, 60)), table


def test_qr_takes_a_step_that_the_normal_equations_cannot():
    """Squared, the condition number is beyond double precision."""
    for factorization, low, high in (("cholesky", 1e-9, np.inf), ("qr", 0.0, 1e-12)):
        optimizer, problem = (
            LevenbergMarquardt(1e-22, 1e-15, factorization=factorization),
            Monomials(),
        )
        params = jnp.zeros(14)
        params, _, _ = optimizer.step(problem, params, optimizer.init(params), None, None)
        assert low <= float(jnp.max(jnp.abs(problem.rows(params, None, None)))) <= high


def test_an_unknown_factorization_is_refused():
    with pytest.raises(PinnlabError, match="factorization"):
        LevenbergMarquardt(factorization="lu")
