"""Parameters and their free forms, profiles, domains, variables and conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnlab.core import (
    Axis,
    Dirichlet,
    Domain,
    Initial,
    Neumann,
    Observations,
    PinnlabError,
    Profile,
    Robin,
    Variable,
    Variables,
)
from pinnlab.core.conditions import check
from pinnlab.core.parameters import Parameter, evaluate, from_free, to_free, varies

BOUNDS = [
    (-np.inf, np.inf), (0.0, np.inf), (2.0, np.inf), (-np.inf, 3.0),
    (1e-8, 1e-4), (-2.0, 5.0), (0.0, 1.0), (0.1, 10.0),
]  # fmt: skip


def inside(bounds, share):
    """A value at a share of the way between the bounds, in the logarithm if they are positive."""
    lower, upper = bounds
    if np.isinf(lower) and np.isinf(upper):
        return 20.0 * (share - 0.5)
    if np.isinf(upper):
        return lower + 10.0 ** (8 * share - 4)
    if np.isinf(lower):
        return upper - 10.0 ** (8 * share - 4)
    return lower * (upper / lower) ** share if lower > 0 else lower + (upper - lower) * share


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(BOUNDS), st.floats(0.001, 0.999))
def test_free_forms_round_trip(bounds, share):
    with jax.enable_x64(True):
        value = jnp.asarray(inside(bounds, share))
        back = from_free(to_free(value, bounds), bounds)
        np.testing.assert_allclose(back, value, rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(BOUNDS), st.floats(-300, 300))
def test_every_free_value_lies_inside_the_bounds(bounds, free):
    with jax.enable_x64(True):
        value = float(from_free(jnp.asarray(free), bounds))
    # exp(log(bound)) may round by an ulp
    room = [1e-14 * abs(b) if np.isfinite(b) else 0.0 for b in bounds]
    assert bounds[0] - room[0] <= value <= bounds[1] + room[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bounds", BOUNDS[1:])
def test_a_value_on_its_bound_has_a_finite_free_form(bounds, dtype):
    for end in bounds:
        if np.isfinite(end):
            free = to_free(jnp.asarray(end, dtype), bounds)
            back = from_free(free, bounds)
            assert np.isfinite(free) and free.dtype == dtype
            np.testing.assert_allclose(back, end, rtol=1e-5, atol=1e-5)


def test_a_free_step_is_a_relative_step_of_a_positive_parameter():
    bounds = (1e-3, 1e1)
    middle = float(np.sqrt(bounds[0] * bounds[1]))
    there = from_free(to_free(jnp.asarray(middle), bounds) + 0.1, bounds)
    assert float(there) / middle == pytest.approx(np.exp(0.1), rel=1e-3)


def test_values_outside_the_bounds_are_refused():
    known = Parameter(0.1, "m2 s-1", (1e-3, 1.0))
    assert known.check("20 cm2 s-1", "equation.k") == pytest.approx(2e-3)
    assert known.check(1, "equation.k") == 1.0
    for bad in (2.0, "1e-9", float("nan"), Profile("x", (0.0, 1.0), (0.5, 7.0))):
        with pytest.raises(PinnlabError, match=r"equation\.k.*outside \[0\.001, 1\] m2 s-1"):
            known.check(bad, "equation.k")


# ---------------------------------------------------------------- profiles


def test_profiles_interpolate_and_are_constant_beyond_their_knots():
    z = jnp.asarray([-1.0, 0.0, 0.5, 2.0, 3.0, 9.0])
    linear = Profile("z", (0, 1, 3), (2.0, 4.0, 1.0))
    np.testing.assert_allclose(linear.at({"z": z}), [2, 2, 3, 2.5, 1, 1], rtol=1e-14)
    log = Profile("z", (0, 1, 3), (2.0, 4.0, 1.0), logarithmic=True)
    np.testing.assert_allclose(log.at({"z": z}), [2, 2, np.sqrt(8), 2, 1, 1], rtol=1e-14)


def test_a_profile_is_a_pytree_of_its_values():
    made = Profile("z", (0.0, 1.0), 3.0)
    assert [leaf.tolist() for leaf in jax.tree.leaves(made)] == [[3.0, 3.0]]
    slope = jax.grad(lambda p: p.at({"z": jnp.asarray(0.25)}))(made)
    np.testing.assert_allclose(slope.values, [0.75, 0.25])
    assert varies(made) and not varies(3.0) and not varies(jnp.asarray(1.0))
    assert evaluate(made, {"z": jnp.asarray(0.5)}) == 3.0


@pytest.mark.parametrize(
    "knots, values, words",
    [((0, 0), 1.0, "must increase"), ((1, 0), 1.0, "must increase"), ((0, 1), [1, 2, 3], "3 val")],
)
def test_wrong_profiles(knots, values, words):
    with pytest.raises(PinnlabError, match=words):
        Profile("z", knots, values)


# ---------------------------------------------------------------- domains and conditions

DOMAIN = Domain(t=Axis(0, 10, "s"), x=Axis(-1, 1, "m"), y=Axis(0, 1, "m", periodic=True))
ONE = Variables(u=Variable("u"))


def test_domains():
    assert DOMAIN.time == "t" and DOMAIN.space == ("x", "y") and DOMAIN["x"].length == 2.0
    later = DOMAIN.updated({"t": {"upper": "1 min"}})
    assert later["t"].upper == 60.0 and later["x"] == DOMAIN["x"] and DOMAIN["t"].upper == 10.0
    assert DOMAIN["t"].natural_scale == 5.0 and Axis(0, 10, scale=2.0).natural_scale == 2.0
    np.testing.assert_allclose(DOMAIN["t"].unit_interval(np.array([0.0, 5.0, 10.0])), [-1, 0, 1])
    assert Domain(tau=Axis(0, 1), x=Axis(0, 1), time="tau").space == ("x",)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Axis(1, 0), "must increase"),
        (lambda: Axis(0, 1, "parsec"), "parsec"),
        (lambda: Axis("0 kg", 1, "m"), "'lower'.*'kg'"),
        (lambda: DOMAIN["z"], "axis 'z'.*t, x, y"),
        (lambda: DOMAIN.updated({"x": {"uper": 3}}), "uper.*upper"),
        (lambda: Domain(x=Axis(0, 1), time="t"), "time axis 't'"),
        (lambda: Variable("u", order=3), "order in time"),
        (lambda: Variable("u", scale=0.0), "positive"),
        (lambda: ONE["v"], "variable 'v'.*u"),
        (lambda: Dirichlet("x", "left", u=0.0), "side 'left'.*lower, upper"),
    ],
)
def test_wrong_domains_and_variables(make, words):
    with pytest.raises(PinnlabError, match=words):
        make()


@pytest.mark.parametrize(
    "conditions, words",
    [
        ([Dirichlet("y", u=0.0)], "periodic axis 'y'"),
        ([Neumann("t", u=0.0)], "time axis 't'"),
        ([Dirichlet("z", u=0.0)], "axis 'z'"),
        ([Dirichlet("x", w=0.0)], "variable 'w'"),
        ([Dirichlet("x", u=0.0), Neumann("x", "lower", u=0.0)], "two conditions on 'u' at x lower"),
        ([Initial(u=0.0), Initial(u=1.0)], "two conditions on 'u' at initial 0"),
    ],
)
def test_contradictory_conditions(conditions, words):
    with pytest.raises(PinnlabError, match=words):
        check(conditions, DOMAIN, ONE)


def test_compatible_conditions_pass():
    mixed = [
        Initial(u=0.0), Initial(1, u=0.0),
        Dirichlet("x", "lower", u=0.0), Robin("x", "upper", a=1.0, b=2.0, u=0.0),
    ]  # fmt: skip
    check(mixed, DOMAIN, ONE)
    with pytest.raises(PinnlabError, match="without a time axis"):
        check([Initial(u=0.0)], Domain(x=Axis(0, 1)), ONE)


@pytest.mark.parametrize(
    "points, values, sigma, words",
    [
        ({"x": [0.0, 1.0]}, [1.0], 1.0, r"axis 'x' has shape \(2,\)"),
        ({"x": [0.0]}, [np.nan], 1.0, "not finite"),
        ({"x": [0.0]}, [1.0], 0.0, "sigma must be positive"),
        ({"x": []}, [], 1.0, "there are none"),
    ],
)
def test_wrong_observations(points, values, sigma, words):
    with pytest.raises(PinnlabError, match=f"observations of 'u'.*{words}"):
        Observations("u", points, values, sigma)
