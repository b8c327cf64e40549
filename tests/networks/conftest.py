"""Double precision without silent promotion, for every test of a network."""

import jax
import pytest


@pytest.fixture(autouse=True)
def strict_double():
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
    ):
        yield
