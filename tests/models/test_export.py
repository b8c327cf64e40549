"""An exported operator: the same numbers for any batch, without a Fourier transform."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core.errors import PinnlabError
from pinnlab.core.grid import FiniteDifference, Fourier, Grid
from pinnlab.equations import Burgers
from pinnlab.equations.family import Family
from pinnlab.models.export import exported, serialized
from pinnlab.models.operator import OperatorModel
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.networks import Fno

pytest.importorskip("flatbuffers")
DOMAIN = Burgers.domain.updated({"x": {"lower": 0, "upper": 1, "periodic": True}})
SPACE = Grid(DOMAIN, {"x": (Fourier(), 16)})
SPACETIME = Grid(DOMAIN, {"t": (FiniteDifference(4), 10), "x": (Fourier(), 16)})


def operator(transform: str, dtype: str, seeds: int = 1, grid: Grid = SPACETIME) -> OperatorReading:
    """One with random parameters, whose initial values and viscosity differ."""
    family = Family(Burgers(domain=DOMAIN), SPACE, ("u",), ("nu",))
    network = Fno(width=4, depth=2, modes=3, transform=transform)
    model = OperatorModel(network, family.names, grid, scales={"input u": (0.5, 2.0)})
    member = family.member({"u": jnp.ones(16), "nu": jnp.asarray(0.1)})

    def one(key):
        made = model.init(key, member)
        return jax.tree.map(lambda a: np.asarray(a, dtype), made)

    each = [one(jax.random.key(i)) for i in range(seeds)]
    params = each[0] if seeds == 1 else jax.tree.map(lambda *a: np.stack(a), *each)
    return OperatorReading(family, model, {"network": params, "equation": {}}, seeds)


def inputs(n: int, dtype: str = "float64") -> dict:
    random = np.random.default_rng(n)
    values = {"u": random.normal(size=(n, 16)), "nu": random.uniform(0.05, 0.2, n)}
    return {name: v.astype(dtype) for name, v in values.items()}


def again(made: jax.export.Exported) -> jax.export.Exported:
    return jax.export.deserialize(bytearray(serialized(made)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_program_gives_the_operators_values_for_any_number_of_members(dtype):
    reading = operator("dft", dtype)
    program = again(exported(reading, reading.family, SPACETIME, numbers=["nu"]))
    assert program.platforms == ("cpu", "cuda", "tpu")
    for n in (1, 5):
        given = inputs(n, dtype)
        (found,) = program.call(*given.values())
        wanted = reading(given)["u"]
        assert found.dtype == dtype and found.shape == (n, 10, 16)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_a_network_with_fast_transforms_is_exported_without_one():
    reading = operator("fft", "float64")
    made = exported(reading, reading.family, SPACETIME, numbers=["nu"])
    assert "fft" not in made.mlir_module()
    given = inputs(3)
    np.testing.assert_allclose(again(made).call(*given.values())[0], reading(given)["u"], rtol=1e-9)


def test_several_seeds_give_mean_and_standard_deviation():
    reading = operator("dft", "float64", seeds=3)
    given = inputs(2)
    program = again(exported(reading, reading.family, SPACETIME, ["nu"]))
    mean, spread = program.call(*given.values())
    each = reading.members(given)["u"]
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(spread, each.std(axis=0), rtol=1e-9, atol=1e-14)


def test_another_grid_and_a_fixed_number_of_members():
    reading = operator("dft", "float64", grid=SPACE)  # the end of time
    fine = SPACE.refined(2)
    family = Family(reading.family.equation, fine, ("u",), ("nu",))
    program = again(exported(reading, family, fine, ["nu"], batch=2))
    values = {"u": np.repeat(inputs(2)["u"], 2, axis=1), "nu": inputs(2)["nu"]}
    (found,) = program.call(*values.values())
    np.testing.assert_allclose(found, reading(values, fine)["u"], rtol=1e-10)
    with pytest.raises(ValueError, match="shape"):
        program.call(*inputs(3).values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": 0}, "batch=0 must be at least 1"),
        ({"platforms": ["cpu", "npu"]}, "npu"),
        ({"numbers": ["mu"]}, "mu"),
    ],
)
def test_what_cannot_be_exported_is_said(change, said):
    reading = operator("dft", "float64")
    with pytest.raises(PinnlabError, match=said):
        exported(reading, reading.family, SPACETIME, **change)
