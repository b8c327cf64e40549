"""A training that cannot fit is refused with what to change; one that fits says what it needs."""

import jax
import pytest

from pinnlab.core import PinnlabError
from pinnlab.core.precision import precision
from pinnlab.run import memory
from pinnlab.run.build import build_equation
from pinnlab.run.compose import composed
from pinnlab.run.memory import check_memory
from pinnlab.run.methods import build

MLP = ("network=mlp", "network.depth=2", "optimizer=levenberg_marquardt")


def plan_of(*overrides):
    cfg = composed(["experiment=heat", *MLP, *overrides])
    with precision(cfg.precision):
        return build(cfg, build_equation(cfg), None)


def said(plan, free=10**15):
    with precision("float64"):
        return check_memory(plan, free)


def test_rows_and_parameters_of_the_largest_phase():
    """Two inputs, two layers of 10 and one output; the conditions are exact, so rows are points."""
    small, large = "{steps: 1, points: 50}", "{steps: 1, points: 700}"
    line = said(plan_of(f"phases=[{small},{large}]", "network.width=10"))
    assert line.startswith("levenberg_marquardt: 700 rows x 151 parameters, about ")
    soft = said(plan_of(f"phases=[{large}]", "model.exact=false"))
    assert int(soft.split()[1].replace(",", "")) > 700  # of the initial and boundary values, too


def test_too_large_a_network_is_refused_before_anything_is_allocated():
    """J alone takes 3000 x 4e8 x 8 bytes: more than any machine has."""
    with pytest.raises(PinnlabError) as error:
        plan_of("network.width=20000", "phases=[{points: 3000}]")
    message = str(error.value)
    assert "3,000 rows x 400," in message and "TB of memory" in message
    assert "lower phases[0].points or network.width" in message and "\n" not in message


def test_only_optimizers_that_would_do_are_named():
    plan = plan_of("phases=[{points: 1000}]", "network.width=40")
    methods = (plan.trainer.phases[0].optimizer, *memory._FRUGAL.values())
    with precision("float64"):
        dense, free, adam = (method.memory(1000, 1801, 8) for method in methods)
    assert adam < free < dense
    with pytest.raises(PinnlabError, match=r"or take optimizer=matrix_free or optimizer=adam$"):
        said(plan, dense - 1)
    with pytest.raises(PinnlabError, match=r"or take optimizer=adam$"):
        said(plan, free - 1)
    with pytest.raises(PinnlabError, match=r"or network.width$"):
        said(plan, adam - 1)
    assert said(plan, dense)


def test_states_of_several_seeds_are_counted():
    """The inverse Hessian of each seed is kept; the Jacobian of one is made at a time."""
    one = plan_of("optimizer=ss_broyden", "network.width=30")
    many = plan_of("optimizer=ss_broyden", "network.width=30", "seeds=5")
    free = 8 * 1051**2 * 4
    assert said(one, free).startswith("quasi_newton: ")
    with pytest.raises(PinnlabError, match=r"network.width or seeds"):
        said(many, free)


def test_single_precision_takes_half():
    plan = plan_of("precision=float32")
    with precision("float32"):
        half = check_memory(plan, 10**15)
    assert float(half.split()[-2]) == pytest.approx(float(said(plan).split()[-2]) / 2, rel=0.02)


def test_what_is_free(tmp_path):
    assert 10**7 < memory.available() < 10**15
    assert memory._of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("700\n")
    assert memory._of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert memory._of_group(tmp_path) == 300


@pytest.mark.parametrize("size, text", [(5, "5 B"), (2.5e6, "2.5 MB"), (86.4e9, "86.4 GB")])
def test_sizes_read_well(size, text):
    assert memory._said(size) == text


def test_shapes_are_enough():
    """No array of the training is made: all that is live afterwards was live before."""
    plan = plan_of()
    before = sum(array.nbytes for array in jax.live_arrays())
    said(plan)
    assert sum(array.nbytes for array in jax.live_arrays()) - before < 10_000
