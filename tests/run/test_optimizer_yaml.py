"""Each optimizer by its yaml takes a step on a real problem, and its state keeps its shape."""

import jax
import numpy as np
import pytest

from pinnlab.core.precision import precision
from pinnlab.run.build import build_equation
from pinnlab.run.catalogue import config_dir
from pinnlab.run.compose import composed
from pinnlab.run.methods import build
from pinnlab.train.compiled import Compiled

NAMES = sorted(path.stem for path in (config_dir() / "optimizer").glob("*.yaml"))


def test_there_are_some():
    assert {"adam", "soap", "muon", "spring", "ss_broyden", "matrix_free", "sketched"} <= set(NAMES)


@pytest.mark.parametrize("number", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_gives_back_what_it_takes(name, number):
    """What a compiled loop asks for: the same tree, shapes and types, in either precision."""
    small = ("network.width=6", "phases=[{steps: 2, points: 20}]", f"precision={number}")
    cfg = composed(["experiment=heat", f"optimizer={name}", *small])
    with precision(number):
        plan = build(cfg, build_equation(cfg), None)
        problem, trainer = plan.legs[0].problem, plan.trainer
        method = trainer.phases[0].optimizer
        first = Compiled(
            problem, trainer.phases[0], trainer.weights, 10, np.arange(1), abstract=True
        ).start(0, None, None)
        params, state, loss = jax.eval_shape(
            lambda p, s, b, w: method.step(problem, p, s, b, w),
            *(first[key] for key in ("params", "optimizer", "batch", "weights")),
        )
    for made, given in ((params, first["params"]), (state, first["optimizer"])):
        assert jax.tree.structure(made) == jax.tree.structure(given)
        for a, b in zip(jax.tree.leaves(made), jax.tree.leaves(given), strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert loss.shape == () and loss.dtype == number
