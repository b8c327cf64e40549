"""Units as CF writes them: conversions that physics knows, and errors that name the place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinnlab.core import Axis, PinnlabError
from pinnlab.core.units import convert, parse, quantity


@pytest.mark.parametrize(
    "value, source, target, expected",
    [
        (1.0, "d", "s", 86400.0),
        (2.0, "h", "min", 120.0),
        (10.0, "cm", "m", 0.1),
        (3e-3, "cm2 s-1", "m2 s-1", 3e-7),
        (1.0, "kW h", "J", 3.6e6),
        (20.0, "degC", "K", 293.15),
        (0.0, "K", "degC", -273.15),
        (1.0, "W m-2 degC-1", "W m-2 K-1", 1.0),  # a difference has no offset
        (1013.25, "hPa", "Pa", 101325.0),
        (1.0, "Pa", "kg m-1 s-2", 1.0),
        (1.0, "W m-1 K-1", "kg m s-3 K-1", 1.0),
        (180.0, "degrees_north", "rad", 3.141592653589793),
        (50.0, "%", "1", 0.5),
        (1.0, "V A", "W", 1.0),
        (1.0, "J/kg/K", "m2 s-2 K-1", 1.0),
        (1.0, "m**2/s", "m2 s-1", 1.0),
        (1.0, "m^2.s^-1", "m2 s-1", 1.0),
    ],
)
def test_conversions(value, source, target, expected):
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-14)


@given(st.floats(-1e6, 1e6), st.sampled_from([("degC", "K"), ("d", "s"), ("mm h-1", "m s-1")]))
def test_there_and_back(value, pair):
    a, b = pair
    assert convert(convert(value, a, b), b, a) == pytest.approx(value, rel=1e-12, abs=1e-9)


def test_a_quantity_may_bring_its_own_unit():
    assert quantity("60 s", "min", "budget") == pytest.approx(1.0)
    assert quantity("-2.5e-1cm", "m", "axis") == pytest.approx(-0.0025)
    assert quantity(" .5 ", "m", "axis") == 0.5
    assert quantity(3, "m", "axis") == 3.0
    assert Axis("0 d", "2 d", "s").upper == 172800.0


@pytest.mark.parametrize(
    "value, unit, words",
    [
        ("1 W", "m", ["equation.k", "'W'", "'m'"]),
        ("1 furlong", "m", ["furlong", "CF"]),
        ("fast", "m s-1", ["equation.k", "'fast'", "1.5 m s-1"]),
        (True, "m", ["equation.k", "True"]),
        (None, "m", ["equation.k", "None"]),
        ("3 m s", "m", ["'m s'", "'m'"]),
    ],
)
def test_errors_name_the_place_and_the_unit(value, unit, words):
    with pytest.raises(PinnlabError) as error:
        quantity(value, unit, "equation.k")
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize("text", ["", "  ", "m2 parsec", "3", "m--2"])
def test_what_is_no_unit_is_refused(text):
    with pytest.raises(PinnlabError):
        parse(text)
