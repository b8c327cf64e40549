"""Double precision for the tests of each room; strict promotion where only our own code runs."""

import contextlib
from pathlib import Path

import jax
import pytest

STRICT = ("core", "equations", "models", "networks", "sampling", "solvers", "terms")
DOUBLE = (*STRICT, "optimizers", "train")  # optax does not bear strict promotion


@pytest.fixture(autouse=True)
def arithmetic(request):
    """Own code may neither promote types nor ranks silently."""
    room = Path(request.path).parent.name
    with contextlib.ExitStack() as stack:
        if room in DOUBLE:
            stack.enter_context(jax.enable_x64(True))
        if room in STRICT:
            stack.enter_context(jax.numpy_dtype_promotion("strict"))
            stack.enter_context(jax.numpy_rank_promotion("raise"))
        yield
