"""Operators that read sensors: any grid, exact conditions, modes of solutions, one file."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.core.parameters import evaluate_on
from pinnlab.core.sampled import Sampled
from pinnlab.equations import Antiderivative, Burgers, DiffusionReaction
from pinnlab.equations.family import Family
from pinnlab.models.operator import OperatorModel
from pinnlab.models.operatorreading import OperatorReading
from pinnlab.models.sensors import Modes, coordinates, principal_modes
from pinnlab.models.storage import load_reading, save_reading
from pinnlab.networks import MLP, DeepOnet
from pinnlab.optimizers import LevenbergMarquardt
from pinnlab.sampling import KernelField
from pinnlab.solvers.classical import Lines
from pinnlab.solvers.pairs import Pairs
from pinnlab.terms import Problem
from pinnlab.terms.instances import PhysicsTerm
from pinnlab.train import Phase, Trainer

ANTI, REACTION = Antiderivative(), DiffusionReaction()
SPACE = Grid(REACTION.domain, {"x": (FiniteDifference(4), 21)})
BOTH = Grid(REACTION.domain, {"t": (Chebyshev(), 6), "x": (FiniteDifference(4), 17)})
QUICK = {"xla_backend_optimization_level": 0}


def random_params(model, member, size=0.5):
    random = np.random.default_rng(3)
    asked = jax.eval_shape(lambda: model.init(jax.random.key(0), member))
    return jax.tree.map(lambda p: jnp.asarray(size * random.normal(size=p.shape), p.dtype), asked)


@partial(jax.jit, static_argnames=("model", "family", "grid"), compiler_options=QUICK)
def answer(params, values, model, family, grid):
    """One model is a static argument, whatever arrays it holds."""
    return model.apply(params, family.member(values), grid)


def source(grid, name="x"):
    """A polynomial, which every scheme here interpolates exactly."""
    x = grid.nodes[name]
    return jnp.asarray(1.0 - 2.0 * x + 3.0 * x**3)


# ---------------------------------------------------------------- functions of time


@pytest.mark.parametrize("scheme", [FiniteDifference(4), Chebyshev()])
def test_functions_are_read_between_their_nodes_as_well_as_on_a_grid(scheme):
    """At traced points as beforehand, in value; and in slope, by the polynomial's own."""
    grid = Grid(ANTI.domain, {"t": (scheme, 40)})
    function = Sampled(grid, jnp.cos(3.0 * jnp.asarray(grid.nodes["t"])))
    times = np.linspace(0.0, 1.0, 23)
    slope = jax.jit(jax.vmap(jax.value_and_grad(lambda t: function.at({"t": t}))))
    found, rate = slope(jnp.asarray(times))
    np.testing.assert_allclose(found, function.on({"t": times}), atol=3e-9)
    np.testing.assert_allclose(found, np.cos(3.0 * times), atol=3e-9)
    np.testing.assert_allclose(rate, -3.0 * np.sin(3.0 * times), atol=2e-6)
    # a solver's grid has no time, which is then a coordinate
    assert evaluate_on(function, {}, {"t": jnp.asarray(times[3])}) == pytest.approx(found[3])


# ---------------------------------------------------------------- the model


def test_coordinates_close_around_periodic_axes():
    domain = Domain(x=Axis(2.0, 4.0), y=Axis(0.0, 3.0, periodic=True))
    found = coordinates(Grid(domain, {"x": (Chebyshev(), 3), "y": (Fourier(), 6)}), "float64")
    turn = 2 * np.pi * np.arange(6) / 6
    np.testing.assert_allclose(found[:, 2, 0], [-1.0, 0.0, 1.0], atol=1e-15)
    around = -np.stack([np.cos(turn), np.sin(turn)], axis=1)
    np.testing.assert_allclose(found[1, :, 1:], around, atol=1e-15)


@pytest.mark.parametrize("count", [11, 21, 64])
def test_the_resolution_of_inputs_does_not_matter(count):
    model = OperatorModel(DeepOnet(6, 1), ("v",), BOTH, sensors=SPACE).scaled(
        {"v": 3.0 * source(SPACE) + 1.0}, {}
    )
    finer = Grid(REACTION.domain, {"x": (FiniteDifference(4), count)})
    member = Family(REACTION, SPACE, parameters=("v",)).member({"v": source(SPACE)})
    params = random_params(model, member)
    expected = model.apply(params, member)["s"]
    family = Family(REACTION, finer, parameters=("v",))
    found = answer(params, {"v": source(finer)}, model, family, BOTH)["s"]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert jnp.std(found) > 1e-3


def test_the_answer_on_another_grid_is_of_the_same_function():
    """On 17 of its 33 nodes and half of its times."""
    fine = Grid(REACTION.domain, {"t": (Chebyshev(), 11), "x": (FiniteDifference(4), 33)})
    model = OperatorModel(DeepOnet(6, 1), ("v",), BOTH, sensors=SPACE)
    family, values = Family(REACTION, SPACE, parameters=("v",)), {"v": source(SPACE)}
    params = random_params(model, family.member(values))
    found = answer(params, values, model, family, fine)["s"]
    expected = answer(params, values, model, family, BOTH)["s"]
    np.testing.assert_allclose(found[::2, ::2], expected, atol=1e-12)


def test_conditions_hold_for_any_parameters():
    model = OperatorModel(DeepOnet(6, 1), ("v",), BOTH, sensors=SPACE)
    family, values = Family(REACTION, SPACE, parameters=("v",)), {"v": source(SPACE)}
    params = random_params(model, family.member(values))
    found = np.asarray(answer(params, values, model, family, BOTH)["s"])
    for side in (found[0], found[:, 0], found[:, -1]):
        np.testing.assert_allclose(side, np.zeros_like(side), atol=1e-14)
    loose = answer(params, values, replace(model, exact=False), family, BOTH)["s"]
    assert np.abs(loose[0]).min() > 1e-4 and np.std(found) > 1e-3


def test_numbers_and_functions_beside_each_other():
    """Initial values and a viscosity; a number is a channel that is the same everywhere."""
    periodic = Domain(t=Axis(0, 1), x=Axis(0, 1, periodic=True))
    burgers = Burgers(domain=periodic)
    grid = Grid(periodic, {"x": (Fourier(), 8)})
    family = Family(burgers, grid, initial=("u",), parameters=("nu",))
    wave = jnp.sin(2 * jnp.pi * jnp.asarray(grid.nodes["x"]))
    model = OperatorModel(DeepOnet(6, 1), family.names, grid, sensors=grid)
    member = family.member({"u": wave, "nu": jnp.asarray(0.3)})
    read = model.at_sensors(member)
    np.testing.assert_allclose(read, np.stack([wave, np.full(8, 0.3)], axis=-1))
    params = random_params(model, member)
    found = model.apply(params, member)["u"]
    assert jnp.mean(found) == pytest.approx(float(jnp.mean(wave)), abs=1e-14)  # conserved
    other = model.apply(params, family.member({"u": wave, "nu": jnp.asarray(0.4)}))["u"]
    assert jnp.max(jnp.abs(other - found)) > 1e-3


# ---------------------------------------------------------------- modes of solutions


def spanned(grid, count=40):
    """(N, *n): a mean and three functions of independent coefficients."""
    x = {a: np.asarray(c) for a, c in grid.coordinates.items()}
    mean, parts = (
        x["t"] * (1 + x["x"]),
        [x["t"] + 0 * x["x"], x["x"] ** 2 * x["t"], x["x"] + 0 * x["t"]],
    )
    sizes = np.random.default_rng(0).normal(size=(count, 3)) * [1.0, 0.3, 0.1]
    return mean + sum(s[:, None, None] * p for s, p in zip(sizes.T, parts, strict=True))


def test_principal_modes():
    """Orthogonal over the quadrature, as large as their share, and enough for what they span, also
    on another grid."""
    samples = spanned(BOTH)
    modes = principal_modes({"s": samples}, BOTH, 3)
    mean, *rest = modes.values["s"]
    np.testing.assert_allclose(mean, samples.mean(axis=0), atol=1e-14)
    weights = np.broadcast_to(BOTH.weights, BOTH.shape)
    gram = np.einsum("ktx,ltx,tx->kl", rest, rest, weights)
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-12)
    variance = np.einsum("ntx,tx->n", (samples - mean) ** 2, weights).mean()
    assert np.trace(gram) == pytest.approx(variance, rel=1e-12)
    finer = Grid(REACTION.domain, {"t": (Chebyshev(), 9), "x": (FiniteDifference(4), 30)})
    there = np.asarray(modes.on(("s",), finer, "float64"))[0]
    columns = there.reshape(4, -1).T
    for sample in spanned(finer)[:3]:
        coefficients = np.linalg.lstsq(columns[:, 1:], (sample - there[0]).ravel())[0]
        found = there[0].ravel() + columns[:, 1:] @ coefficients
        np.testing.assert_allclose(found, sample.ravel(), atol=1e-12)


def test_solutions_by_their_modes():
    """Whatever the branch says, the answer is a solution's mean and modes: zero at the start."""
    samples = spanned(BOTH)
    samples = 5.0 + 2.0 * (samples - samples[:, :1])
    seen = jnp.asarray(np.stack([source(SPACE)] * 2))
    network = DeepOnet(6, 1, pod=2)
    blank = OperatorModel(network, ("v",), BOTH, exact=False, sensors=SPACE)
    model = blank.scaled({"v": seen}, {"s": jnp.asarray(samples)}, BOTH)
    family, values = Family(REACTION, SPACE, parameters=("v",)), {"v": source(SPACE)}
    params = random_params(model, family.member(values))
    found = np.asarray(answer(params, values, model, family, BOTH)["s"])
    np.testing.assert_allclose(found[0], np.full(17, 5.0), atol=1e-12)
    basis = np.stack([m.ravel() for m in samples[:3] - samples.mean(axis=0)])
    off = (found - samples.mean(axis=0)).ravel()
    rest = off - basis.T @ np.linalg.lstsq(basis.T, off)[0]
    assert np.abs(rest).max() < 1e-10 < np.abs(off).max()


@pytest.mark.parametrize("pod", [0, 2])
def test_a_stored_operator_gives_the_same(pod, tmp_path):
    family = Family(REACTION, SPACE, parameters=("v",))
    branch = MLP(5, 0) if pod else None
    network = DeepOnet(6, 1, pod=pod, branch=branch, trunk=MLP(4, 2))
    model = OperatorModel(network, ("v",), BOTH, exact=not pod, sensors=SPACE)
    solutions = {"s": jnp.asarray(spanned(BOTH))} if pod else {}
    model = model.scaled({"v": source(SPACE)[None]}, solutions)
    params = random_params(model, family.member({"v": source(SPACE)}))
    reading = OperatorReading(family, model, {"network": params})
    save_reading(reading, tmp_path / "solution", {})
    again, _ = load_reading(tmp_path / "solution")
    inputs = {"v": np.asarray(source(SPACE))[None]}
    np.testing.assert_array_equal(again(inputs)["s"], reading(inputs)["s"])
    assert again.model.sensors == SPACE and again.model.network == network
    single = jax.tree.map(lambda p: p.astype("float32"), again.params)
    found = replace(again, params=single)(inputs)["s"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reading(inputs)["s"], atol=1e-4)


def test_what_is_refused():
    model = OperatorModel(DeepOnet(6, 1, pod=50), ("v",), BOTH, exact=False, sensors=SPACE)
    member = Family(REACTION, SPACE, parameters=("v",)).member({"v": source(SPACE)})
    inputs, solutions = {"v": source(SPACE)}, {"s": jnp.asarray(spanned(BOTH))}
    with pytest.raises(PinnlabError, match=r"network\.pod: the model has seen no solutions"):
        model.init(jax.random.key(0), member)
    with pytest.raises(PinnlabError, match=r"network\.pod: .* of which there are none"):
        model.scaled(inputs, {})
    with pytest.raises(PinnlabError, match=r"network\.pod: 50 modes of 40 solutions on 102 nodes"):
        model.scaled(inputs, solutions)
    with pytest.raises(PinnlabError, match=r"network\.pod: .* model\.exact=false"):
        replace(model, exact=True).scaled(inputs, solutions)
    with pytest.raises(PinnlabError, match=r"the modes are of solutions over x, but .* over t, x"):
        Modes(SPACE, {"s": np.ones((2, 21))}).on(("s",), BOTH, "float64")
    with pytest.raises(PinnlabError, match=r"a grid with at least one axis"):
        coordinates(Grid(ANTI.domain, {}), "float64")


# ---------------------------------------------------------------- a family over time


def test_members_that_differ_in_a_function_of_time():
    """Solved by the method of lines, all at once: the quadrature of what the nodes hold."""
    times = Grid(ANTI.domain, {"t": (FiniteDifference(4), 31)})
    wanted = Grid(ANTI.domain, {"t": (Chebyshev(), 9)})
    family = Family(ANTI, times, parameters=("v",))
    pairs = Pairs(family, {"v": KernelField(0.5)}, Lines(solver="explicit", rtol=1e-9), wanted)
    powers = np.arange(1.0, 4.0)[:, None]
    rates = jnp.asarray(powers * times.nodes["t"] ** (powers - 1))
    found = jax.jit(pairs.solve)({"v": rates})["s"]
    np.testing.assert_allclose(found, wanted.nodes["t"] ** powers, atol=1e-9)


def test_the_equation_alone_trains_it():
    """Antiderivatives of quadratic functions without any of them, and then of others."""
    times = Grid(ANTI.domain, {"t": (FiniteDifference(4), 15)})
    grid = Grid(ANTI.domain, {"t": (Chebyshev(), 7)})
    family = Family(ANTI, times, parameters=("v",))
    t = jnp.asarray(times.nodes["t"])

    def drawn(key, n, step):
        sizes = jax.random.normal(key, (n, 3), t.dtype)
        return {"_input_v": sizes @ jnp.stack([jnp.ones_like(t), t, t**2])}

    model = OperatorModel(DeepOnet(8, 1, branch=MLP(depth=0)), ("v",), grid, sensors=times)
    problem = Problem(ANTI, model, [PhysicsTerm(family, grid, drawn)])
    phase = Phase(LevenbergMarquardt(), 30, 12)
    params = Trainer([phase]).fit(problem).params
    v = np.asarray(1.0 - 4.0 * t + 2.0 * t**2)[None]
    found = OperatorReading(family, model, params)({"v": v})["s"]
    truth = grid.nodes["t"] - 2.0 * grid.nodes["t"] ** 2 + 2.0 / 3.0 * grid.nodes["t"] ** 3
    np.testing.assert_allclose(found[0], truth, atol=1e-4)
