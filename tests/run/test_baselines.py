"""Each baseline where the right answer is known, its blindness to what is held out, and its error
on the measured soil temperatures."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from pinnlab.core import Domain, PinnlabError
from pinnlab.core.errors import DivergenceError
from pinnlab.core.grid import FiniteDifference
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.energy.soil_heat import SoilHeat
from pinnlab.run.baselines import ClassicalFit, Interpolation, LaggedRegression
from pinnlab.run.observed import Observed, read_observed
from pinnlab.solvers.classical import Lines

DEPTHS = np.array([0.02, 0.04, 0.08, 0.16, 0.32])
TIMES = np.arange(900.0, 3 * 86400, 1800.0)
LINES = Lines(n=21, schemes={"depth": FiniteDifference(4)}, solver="explicit", rtol=1e-5)
FAILED = 3
DENSE = np.linspace(0.02, 0.32, 9)  # gives the profile at the start well


@pytest.fixture(autouse=True)
def strict():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


def observed(values, times=TIMES, depths=DEPTHS, variable="T", axis="depth", since=0.5):
    """Sensors of which the one but last fails at a share of the record."""
    held_out = np.zeros(values.shape, bool)
    held_out[int(since * len(times)) :, -2] = True
    return Observed(variable, {"t": times, axis: depths}, values, held_out, sigma=0.1)


def wave(kappa, times=TIMES, depths=DEPTHS):
    """A damped wave of one day and another of half of it: T_t = kappa T_zz."""
    total = np.full((len(times), len(depths)), 293.0)
    for amplitude, period in ((8.0, 86400.0), (2.0, 43200.0)):
        omega = 2 * np.pi / period
        z = depths * np.sqrt(omega / (2 * kappa))
        total += amplitude * np.exp(-z) * np.sin(omega * times[:, None] - z)
    return total


def noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def poisoned(seen):
    return replace(seen, values=np.where(seen.held_out, 1e9, seen.values))


BASELINES = [
    Interpolation("depth"),
    LaggedRegression(lags=(0, 1, 3)),
    ClassicalFit("diffusivity", classical=LINES),
]


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: type(b).__name__)
def test_held_out_values_do_not_enter_the_prediction(baseline):
    seen = observed(wave(5e-7) + 0.1 * noise(0, len(TIMES), len(DEPTHS)))
    clean, blind = (baseline.predict(SoilHeat(), o) for o in (seen, poisoned(seen)))
    assert np.isfinite(clean.values[seen.held_out]).all()
    np.testing.assert_array_equal(clean.values, blind.values)
    assert clean.fitted == blind.fitted


def test_used_values_do_enter_the_prediction():
    """The test above can fail: what is not held out changes the prediction."""
    seen = observed(wave(5e-7) + 0.1 * noise(0, len(TIMES), len(DEPTHS)))
    other = replace(seen, values=np.where(seen.held_out, seen.values, seen.values + 0.1))
    for baseline in BASELINES[:2]:
        a, b = (baseline.predict(SoilHeat(), o).values[seen.held_out] for o in (seen, other))
        assert np.abs(a - b).min() > 1e-3


@pytest.mark.parametrize(("kind", "degree"), [("linear", 1), ("quadratic", 2), ("cubic", 3)])
def test_interpolation_is_exact_for_polynomials_of_its_degree(kind, degree):
    powers = DEPTHS[:, None] / 0.1
    exact = sum(noise(p, len(TIMES), 1) * (powers**p).T for p in range(degree + 1))
    found = Interpolation("depth", kind)(SoilHeat(), observed(exact))
    assert found["rmse_held_out"] < 1e-12
    assert found["judged"] == len(TIMES) // 2
    beyond = sum(noise(p, len(TIMES), 1) * (powers**p).T for p in range(degree + 2))
    assert Interpolation("depth", kind)(SoilHeat(), observed(beyond))["rmse_held_out"] > 1e-3


def test_interpolation_leaves_out_what_lacks_neighbours():
    values = wave(5e-7)
    values[-5:, 0] = np.nan  # three sensors are left then: no cubic
    found = Interpolation("depth").predict(SoilHeat(), observed(values))
    assert np.isnan(found.values[-5:, FAILED]).all()
    assert np.isfinite(found.values[len(TIMES) // 2 : -5, FAILED]).all()


def test_interpolation_along_time_over_a_gap_of_each_sensor():
    cubics = np.polynomial.polynomial.polyval(TIMES / 1e5, noise(1, 4, len(DEPTHS))).T
    seen = observed(cubics)
    seen.held_out[:] = False
    seen.held_out[20:30] = True
    found = Interpolation("t")(SoilHeat(), seen)
    assert found["rmse_held_out"] < 1e-10
    assert found["judged"] == 10 * len(DEPTHS)


def filtered(others, lags, seed):
    """A linear filter of the others with random coefficients, NaN where it lacks a record."""
    series = np.full(len(others), 7.0)
    for i, lag in enumerate(lags):
        before = np.concatenate([np.full((lag, 4), np.nan), others[: len(others) - lag]])
        series += before @ noise(seed + i, 4)
    return series


def test_regression_is_exact_for_a_linear_filter():
    n, lags = 400, (0, 2, 5)
    others = 290 + noise(0, n, 4)
    target = filtered(others, lags, seed=1)
    values = np.insert(others, FAILED, target, axis=1)
    seen = observed(values, times=1800.0 * np.arange(n))
    found = LaggedRegression(lags)(SoilHeat(), seen)
    assert found["rmse_held_out"] < 1e-9
    assert found["judged"] == n // 2
    assert LaggedRegression(lags=(0, 2))(SoilHeat(), seen)["rmse_held_out"] > 0.1
    predicted = LaggedRegression(lags).predict(SoilHeat(), seen).values
    assert np.isnan(predicted[:5]).all()  # records without their lags are dropped
    assert np.isnan(predicted[:, [0, 1, 2, 4]]).all()


def test_regression_learns_sensors_with_missing_records_from_the_rest():
    n = 400
    others = 290 + noise(0, n, 4)
    values = np.insert(others, FAILED, others @ noise(1, 4), axis=1)
    values[50, 0] = values[60, FAILED] = values[300, 2] = np.nan
    found = LaggedRegression((0, 1))(SoilHeat(), observed(values, 1800.0 * np.arange(n)))
    assert found["rmse_held_out"] < 1e-9
    assert found["judged"] == n // 2 - 2  # without the record missing and the one after


def test_ridge_shrinks_to_the_mean():
    n = 400
    others = 290 + noise(0, n, 4)
    values = np.insert(others, FAILED, others @ noise(1, 4), axis=1)
    seen = observed(values, 1800.0 * np.arange(n))
    mean = values[: n // 2, FAILED].mean()
    spread = [
        np.std(LaggedRegression((0,), ridge).predict(SoilHeat(), seen).values[:, FAILED])
        for ridge in (0.0, 1.0, 1e9)
    ]
    # With uncorrelated predictors a ridge of 1 halves the coefficients.
    assert spread[1] == pytest.approx(spread[0] / 2, rel=0.1)
    assert spread[2] < 1e-6
    most = LaggedRegression((0,), 1e9).predict(SoilHeat(), seen).values[:, FAILED]
    np.testing.assert_allclose(most, mean, rtol=1e-6)


@pytest.mark.parametrize("fit", ["all", "own"])
def test_classical_fit_recovers_the_diffusivity(fit):
    baseline = ClassicalFit("diffusivity", fit=fit, classical=LINES)
    found = baseline(SoilHeat(), observed(wave(3e-7, depths=DENSE), depths=DENSE))
    assert found["diffusivity"] == pytest.approx(3e-7, rel=0.01)
    assert found["rmse_held_out"] < 0.005  # the series are taken as linear between the records
    assert found["judged"] == len(TIMES) // 2


def test_classical_fit_between_two_sensors_sees_the_soil_between_them_only():
    """Two sensors above them with something else on them, which a fit to all would mistake."""
    values = wave(3e-7, depths=DENSE)
    values[1:, :2] += 3 * np.sin(TIMES[1:, None] / 9e3)
    seen, pair = observed(values, depths=DENSE), ("9.5 cm", 0.32)
    found = ClassicalFit("diffusivity", between=pair, classical=LINES)(SoilHeat(), seen)
    assert found["diffusivity"] == pytest.approx(3e-7, rel=0.01)
    whole = ClassicalFit("diffusivity", classical=LINES)(SoilHeat(), seen)
    assert abs(whole["diffusivity"] - 3e-7) > 1e-8


def test_classical_fit_bridges_gaps_and_ignores_the_order_of_axes():
    values = wave(3e-7, depths=DENSE)
    values[20, 0] = values[31, -1] = values[0, 2] = values[40, 1] = np.nan
    seen, domain = observed(values, depths=DENSE), SoilHeat().domain
    turned = SoilHeat(domain=Domain(depth=domain["depth"], t=domain["t"]))
    flipped = replace(
        seen,
        coordinates={"depth": DENSE[::-1], "t": TIMES},
        values=values.T[::-1],
        held_out=seen.held_out.T[::-1],
    )
    fit = ClassicalFit("diffusivity", classical=LINES)
    a, b = fit.predict(SoilHeat(), seen), fit.predict(turned, flipped)
    assert a.fitted["diffusivity"] == pytest.approx(3e-7, rel=0.02)
    assert b.fitted["diffusivity"] == pytest.approx(a.fitted["diffusivity"], rel=1e-4)
    np.testing.assert_allclose(b.values.T[:, ::-1], a.values, atol=1e-3)
    inner = np.isfinite(a.values).all(axis=0)
    assert inner[1:-1].all() and not inner[[0, -1]].any()


def test_classical_fit_takes_any_equation_of_one_variable():
    """The viscosity of the Burgers equation, whose own conditions give way to the sensors."""
    times, places = np.linspace(0.1, 1, 91), np.linspace(-0.9, 0.7, 9)
    with jax.enable_x64(True):
        x = dict(zip(("t", "x"), np.meshgrid(times, places, indexing="ij"), strict=True))
        values = np.asarray(Burgers(nu=0.05).exact(x)["u"])
    seen = observed(values, times, places, "u", "x")
    lines = Lines(n=33, schemes={"x": FiniteDifference(4)}, solver="explicit", rtol=1e-5)
    found = ClassicalFit("nu", classical=lines)(Burgers(nu=0.3), seen)
    # The profile at the start is a spline through nine sensors.
    assert found["nu"] == pytest.approx(0.05, rel=0.03)
    assert found["rmse_held_out"] < 0.005


def test_classical_fit_goes_around_values_that_cannot_be_solved_with(monkeypatch):
    """Too little diffusion for the grid, as a rule; the search starts there."""
    seen = observed(wave(5e-7))

    def driven(equation, times, places, known, pair, classical):
        def solve(candidate):
            if candidate.diffusivity < limit:
                raise DivergenceError("too little")
            return wave(candidate.diffusivity)

        return solve

    monkeypatch.setattr("pinnlab.run.baselines.driven", driven)
    limit = 4e-7
    found = ClassicalFit("diffusivity")(SoilHeat(), seen)
    assert found["diffusivity"] == pytest.approx(5e-7, rel=0.001)
    limit = 1.0
    with pytest.raises(DivergenceError, match="too little"):
        ClassicalFit("diffusivity")(SoilHeat(), seen)


def test_users_errors_say_what_would_be_right():
    seen, heat = observed(wave(5e-7)), SoilHeat()
    with pytest.raises(PinnlabError, match=r"kind of interpolation 'qubic'; did you mean 'cubic'"):
        Interpolation("depth", "qubic")(heat, seen)
    with pytest.raises(PinnlabError, match=r"unknown axis 'z'.*depth"):
        Interpolation("z")(heat, seen)
    with pytest.raises(PinnlabError, match=r"lags=\[0, -1\]"):
        LaggedRegression(lags=(0, -1))
    with pytest.raises(PinnlabError, match=r"28 records to train 181 coefficients on"):
        LaggedRegression(lags=tuple(range(45)))(heat, seen)
    with pytest.raises(PinnlabError, match=r"unknown parameter \(baselines\) 'nu'"):
        ClassicalFit("nu")(heat, seen)
    with pytest.raises(PinnlabError, match=r"unknown fit \(baselines\) 'mine'"):
        ClassicalFit("diffusivity", fit="mine")(heat, seen)
    with pytest.raises(PinnlabError, match=r"between=\(0.08, 0.16\).*0.02, 0.04, 0.08, 0.32"):
        ClassicalFit("diffusivity", between=(0.08, 0.16))(heat, seen)
    nothing = replace(seen, held_out=np.zeros_like(seen.held_out))
    with pytest.raises(PinnlabError, match=r"observations\.held_out"):
        Interpolation("depth")(heat, nothing)


@pytest.fixture(scope="module")
def soil():
    return read_observed(
        SoilHeat(),
        "us_tw3_soil_2014-07.nc",
        "T",
        "soil_temperature",
        axes={"t": "time", "depth": "depth"},
        sigma=0.1,
        epoch="2014-07-01T00:00:00-08:00",
        held_out={"depth": 0.16, "after": "7 d"},
    )


def test_measured_soil_temperatures_without_an_equation(soil):
    cubic, lagged = (b(SoilHeat(), soil) for b in (Interpolation("depth"), LaggedRegression()))
    assert cubic["rmse_held_out"] == pytest.approx(0.607, abs=0.002)
    assert lagged["rmse_held_out"] == pytest.approx(0.038, abs=0.001)
    assert cubic["judged"] == lagged["judged"] == 336


@pytest.mark.parametrize(
    ("options", "rmse", "diffusivity"),
    [
        ({}, 0.50, 5.73e-7),
        ({"fit": "own"}, 0.357, 3.76e-7),
        ({"between": (0.08, 0.32)}, 0.126, 2.59e-7),
    ],
    ids=["all", "own", "neighbours"],
)
def test_measured_soil_temperatures_by_conduction(soil, options, rmse, diffusivity):
    lines = Lines(n=31, schemes={"depth": FiniteDifference(2)}, solver="explicit", rtol=1e-5)
    found = ClassicalFit("diffusivity", **options, classical=lines)(SoilHeat(), soil)
    assert found["rmse_held_out"] == pytest.approx(rmse, abs=0.004)
    assert found["diffusivity"] == pytest.approx(diffusivity, rel=0.02)
