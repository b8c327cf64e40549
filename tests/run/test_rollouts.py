"""Operators that step in time, tried on a wave that only moves: trajectories, scores, settings."""

from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from commands import summary

import pinnlab
from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.precision import precision
from pinnlab.equations import Advection
from pinnlab.models.operator import OperatorModel
from pinnlab.models.operatorreading import OperatorReading, rolled
from pinnlab.run.rollouts import make_trajectories
from pinnlab.run.windows import Windows
from pinnlab.solvers.classical import Etdrk4
from pinnlab.solvers.pairs import Coarse
from pinnlab.terms.instances import INPUT, SOLUTION

N, STEP, SPEED = 16, 0.05, 1.0
DOMAIN = Domain(t=Axis(0, 1), x=Axis(0, 1, periodic=True))
GIVEN = {
    "initial": {"u": {"_target_": "pinnlab.sampling.FourierSeries", "modes": 2}},
    "grid": {"x": N},
    "rollout": {"step": STEP, "steps": 6},
    "data": {"count": 3, "steps": 4, "unroll": 2},
    "test": 5,
}


def trajectories(**changes):
    equation = Advection(domain=DOMAIN, c=SPEED)
    return make_trajectories({**GIVEN, **changes}, equation, Etdrk4(n=N, steps=2))


def moved(values, by):
    """Values on the nodes of a periodic axis, moved by part of its length."""
    wave = np.fft.rfft(values, axis=-1)
    return np.fft.irfft(wave * np.exp(-2j * np.pi * np.arange(wave.shape[-1]) * by), N, axis=-1)


@pytest.mark.parametrize("count", [0, 3])
def test_windows_are_steps_of_one_trajectory(count):
    members = trajectories(data={"count": count, "steps": 4, "unroll": 2})
    with precision("float64"):
        columns = Windows(members)(jax.random.key(0), 9, True)
    first, later = columns[INPUT + "u"], columns[SOLUTION + "u"]
    assert first.shape == (9, N) and later.shape == (9, 2, N)
    for k in (1, 2):
        np.testing.assert_allclose(later[:, k - 1], moved(first, k * STEP * SPEED), atol=1e-7)


def test_every_window_comes_once_before_any_comes_again():
    members = trajectories()  # three trajectories with three windows each
    with precision("float64"):
        first = Windows(members)(jax.random.key(0), 18, True)[INPUT + "u"]
    for half in (first[:9], first[9:]):
        assert len(np.unique(np.round(half, 6), axis=0)) == 9


def test_a_warmup_moves_the_states_from_which_trajectories_begin():
    with precision("float64"):
        keys = jax.random.split(jax.random.key(1), 2)
        plain = trajectories().begun(keys)["u"]
        warm = trajectories(rollout={**GIVEN["rollout"], "warmup": 3}).begun(keys)["u"]
    np.testing.assert_allclose(warm, moved(plain, 3 * STEP * SPEED), atol=1e-7)


def test_the_reference_is_the_moving_wave_and_a_state_at_rest_loses_it():
    members = trajectories(initial={"u": {**GIVEN["initial"]["u"], "modes": 1}})
    inputs = members.test()
    reference = members.reference(inputs)
    for k in range(7):
        expected = moved(inputs["u"], k * STEP * SPEED)
        np.testing.assert_allclose(reference.values["u"][:, k], expected, atol=1e-7)
    still = np.broadcast_to(inputs["u"][:, None], reference.values["u"].shape)
    step = np.mean(2 * np.sin(np.pi * STEP * SPEED))  # |exp(ikx) - exp(ik(x - ct))|
    assert reference.one_step({"u": still})["u"] == pytest.approx(step, rel=1e-5)
    lost = members._close({"u": still}, reference.values)["correlation_time"]
    assert lost == pytest.approx(np.arccos(0.8) / (2 * np.pi * SPEED), rel=2e-2)  # linear between


class Nothing:
    """A reading whose network gives zero: what is left is what it is added to."""

    def __init__(self, members, **more):
        from pinnlab.networks import Fno

        network = Fno(2, 1, 2)
        self.members = members
        self.model = OperatorModel(network, ("u",), members.grid, outputs=("u",), **more)

    @cached_property
    def reading(self):
        with precision("float64"):
            member = self.members.some()
            params = self.model.init(jax.random.key(0), member)
            zero = jax.tree.map(jnp.zeros_like, params)
        return OperatorReading(self.members.family, self.model, {"network": zero})


def test_an_increment_of_nothing_stays_and_a_correction_of_nothing_is_the_coarse_solver():
    members = trajectories()
    inputs = members.test()
    still = rolled(Nothing(members, increment=True).reading, inputs, 3)["u"]
    np.testing.assert_allclose(still[0], np.repeat(inputs["u"][:, None], 4, 1), atol=1e-12)
    coarse = Nothing(members, coarse=Coarse(Etdrk4(n=N, steps=1))).reading
    found = rolled(coarse, inputs, 3)["u"]
    np.testing.assert_allclose(found[0, :, 3], moved(inputs["u"], 3 * STEP * SPEED), atol=1e-7)


def test_an_operator_that_gives_other_than_it_takes_does_not_step():
    members = trajectories()
    made = Nothing(members)
    family = made.reading.family
    other = OperatorReading(
        type(family)(family.equation, family.grid, parameters=("c",)), made.model, {}
    )
    with pytest.raises(PinnlabError, match="step by step"):
        rolled(other, {}, 2)


SMALL = (
    "experiment=kuramoto_sivashinsky_operator",
    "operator={grid: {x: 32}, rollout: {steps: 4, warmup: 2}, data: {count: 2, steps: 4}, test: 3}",
    "equation.domain.x.upper=20",
    "network={width: 4, modes: 4, depth: 1}",
    "phases=[{steps: 4, points: 8, minibatch: 4, resample: 2}]",
    "classical={n: 32, steps: 4}",
    "gate=[]",
    "figures=false",
    "quiet=true",
    "hydra.run.dir=out",
)


def test_a_run_is_one_dataset_over_the_steps_and_a_file_that_steps_on(shell, tmp_path):
    done = shell(*SMALL, "operator.data.unroll=2", "operator.data.pushforward=true")
    assert done.code == 0, done.err
    said = summary(tmp_path / "out")["operator"]["rollout"]
    assert {"operator", "persistence", "drift"} <= said.keys() and len(said) >= 4
    assert abs(said["drift"]["u"]) < 1e-5  # the mean is kept exactly
    with xr.open_dataset("out/dataset.nc") as ds:
        assert ds.sizes["t"] == 5
        held = ds[["initial_velocity"]].load()
        found, first = ds.velocity.load(), ds.velocity_reference.isel(t=0).load()
    np.testing.assert_allclose(first, held.initial_velocity, atol=1e-5)
    again = pinnlab.load("out").rollout(held, 4)
    np.testing.assert_allclose(again.velocity, found, atol=1e-4)
    np.testing.assert_allclose(again.t, 0.4444444 * np.arange(5), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("operator.rollout.step=-1", "lower"),
        ("operator.rollout.steps=0", "operator.rollout.steps"),
        ("operator.data.unroll=9", "operator.data.unroll"),
        ("operator.rollout.pace=2", "pace"),
        ("operator.physics={}", "physics"),
        ("operator.grid.t=5", "operator.rollout"),
    ],
)
def test_what_does_not_fit_is_one_message(shell, change, named):
    assert named in shell(*SMALL, change).failed()
