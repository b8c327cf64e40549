"""What does not fit is refused, with the name of what, where, and what would fit."""

import numpy as np
import pytest

from pinnlab.core.errors import PinnlabError
from pinnlab.io import Coordinate, Quantity, Site, build_dataset, midpoint_bounds

ATTRIBUTES = {"title": "a test", "history": "2026-01-01T00:00:00Z made"}
EPOCH = "2014-07-01T00:00:00-08:00"
X = Coordinate("x", np.arange(3.0), "m", "position")


def coordinate(name="z", values=(0.0, 1.0), units="m", long_name="height", **more):
    return Coordinate(name, np.array(values), units, long_name, **more)


def quantity(name="u", dims=("x",), values=(1.0, 2.0, 3.0), units="m", **more):
    return Quantity(name, dims, np.array(values), units, "something", **more)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"name": "time"}, ["'time'", "epoch", "'t'"]),
        ({"axis": "T"}, ["axis 'T'", "epoch"]),
        ({"name": "my depth"}, ["'my depth'", "underscores"]),
        ({"units": ""}, ["'z'", "units", "'1'"]),
        ({"units": "-"}, ["'z'", "unknown unit '-'"]),
        ({"units": "metres_of_sand"}, ["'z'", "metres_of_sand"]),
        ({"long_name": " "}, ["'z'", "long_name"]),
        ({"values": [0.0, 1.0, 1.0]}, ["'z'", "strictly"]),
        ({"values": [0.0, np.nan]}, ["'z'", "finite"]),
        ({"values": [[0.0], [1.0]]}, ["'z'", "(2, 1)"]),
        ({"values": []}, ["'z'", "(0,)"]),
        ({"values": ["a", "b"]}, ["'z'", "real numbers"]),
        ({"axis": "Z"}, ["'z'", "positive='up'"]),
        ({"positive": "up"}, ["'z'", "axis='Z'"]),
        ({"axis": "Z", "positive": "below"}, ["'below'"]),
        ({"axis": "Q"}, ["'Q'"]),
        ({"bounds": [[0.0, 1.0]]}, ["'z'", "(1, 2)", "(2, 2)"]),
        ({"bounds": [[0.0, 0.5], [0.2, 0.5]]}, ["'z'", "1.0", "outside"]),
        ({"standard_name": "latitude", "units": "degree"}, ["degrees_north"]),
        ({"units": "s", "epoch": "2014-07-01"}, ["'2014-07-01'", "offset"]),
        ({"units": "s", "epoch": "yesterday"}, ["'yesterday'", "ISO 8601"]),
        ({"units": "h", "epoch": EPOCH}, ["'z'", "seconds"]),
    ],
)
def test_coordinates_that_do_not_fit(given, words):
    with pytest.raises(PinnlabError) as raised:
        coordinate(**given)
    assert all(word in str(raised.value) for word in words), raised.value


@pytest.mark.parametrize(
    "given, words",
    [
        ({"name": "2m_temperature"}, ["'2m_temperature'"]),
        ({"units": "K"}, ["'u'", "on_scale", "difference"]),
        ({"units": "m", "temperature": "on_scale"}, ["'u'", "'m'"]),
        ({"units": "K", "temperature": "warm"}, ["'u'", "'warm'"]),
        ({"dims": ()}, ["'u'", "0-dimensional", "(3,)"]),
        ({"dims": ("x", "x"), "values": np.zeros((3, 3))}, ["'u'", "twice"]),
        ({"coverage": "guess"}, ["'u'", "'guess'", "modelResult"]),
        ({"values": [1j, 2j, 3j]}, ["'u'", "complex128"]),
        ({"flags": {"good": 1, "bad": 2}}, ["'u'", "float64"]),
        ({"flags": {"good": 1, "bad": 2}, "values": [1, 2, 3]}, ["'u'", "[3]"]),
        ({"flags": {"very good": 1, "bad": 2}, "values": [1, 2, 1]}, ["'u'", "very good"]),
        ({"flags": {"good": 1, "bad": 1}, "values": [1, 1, 1]}, ["'u'", "of its own"]),
        ({"flags": {"good": 1, "bad": 2}, "values": [1, 2, 1], "units": "m"}, ["'u'", "no units"]),
    ],
)
def test_quantities_that_do_not_fit(given, words):
    with pytest.raises(PinnlabError) as raised:
        quantity(**given)
    assert all(word in str(raised.value) for word in words), raised.value


@pytest.mark.parametrize(
    "coordinates, quantities, attributes, words",
    [
        ([X], [quantity(values=[1.0, 2.0])], {}, ["'u'", "'x'", "3 values", "have 2"]),
        ([X], [quantity(dims=("y",))], {}, ["'u'", "'y'", "There are: x"]),
        ([X], [quantity(ancillary=("u_eror",)), quantity("u_error")], {}, ["'u_eror'", "u_error"]),
        ([X], [quantity(cell_methods="time: mean")], {}, ["'u'", "'time'", "cell_methods"]),
        ([X], [quantity("U"), quantity("u")], {}, ["'U'", "'u'"]),
        ([X], [quantity("x")], {}, ["'x'"]),
        (
            [coordinate(bounds=[[0.0, 0.5], [0.5, 1.0]])],
            [quantity("z_bnds", ("z",), [1.0, 2.0])],
            {},
            ["'z_bnds'", "bounds"],
        ),
        ([X], [quantity()], {"title": ""}, ["'title'", "provenance"]),
        ([X], [quantity()], {"model": {"width": 3}}, ["'model'", "nest"]),
        ([X], [quantity()], {"seed": None}, ["'seed'", "NoneType"]),
        ([X], [quantity()], {"names": ["a", "b"]}, ["'names'"]),
        ([X], [quantity()], {"seed": 2**70}, ["'seed'", "64 bits"]),
        ([X], [quantity()], {"note": "a\0b"}, ["'note'"]),
        ([X], [quantity()], {"coordinates": "x"}, ["'coordinates'"]),
        ([X], [quantity()], {"a b": 1}, ["'a b'"]),
    ],
)
def test_datasets_that_do_not_fit(coordinates, quantities, attributes, words):
    with pytest.raises(PinnlabError) as raised:
        build_dataset(coordinates, quantities, ATTRIBUTES | attributes)
    assert all(word in str(raised.value) for word in words), raised.value


def test_a_site_is_on_the_globe_and_alone():
    for place in ((91.0, 0.0), (0.0, 400.0), (float("nan"), 0.0)):
        with pytest.raises(PinnlabError, match="itude"):
            Site(*place)
    latitude = Coordinate("latitude", [1.0, 2.0], "degrees_north", "latitude")
    with pytest.raises(PinnlabError, match="'latitude'"):
        build_dataset([latitude], [], ATTRIBUTES, Site(1.0, 2.0))


def test_dimensions_come_in_the_order_of_cf():
    coordinates = [
        coordinate("x", axis="X"),
        coordinate("y", axis="Y"),
        coordinate("z", axis="Z", positive="up"),
        coordinate("time", units="s", epoch=EPOCH),
        coordinate("realization", [0, 1], "1"),
        coordinate("k", [0, 1], "1"),
    ]
    given = ("x", "realization", "z", "time", "k", "y")
    values = np.arange(64.0).reshape((2,) * 6)
    made = build_dataset(coordinates, [quantity(dims=given, values=values)], ATTRIBUTES)["u"]
    assert made.dims == ("realization", "k", "time", "z", "y", "x")
    np.testing.assert_array_equal(made.transpose(*given).values, values)


def test_extents_come_from_the_coordinates():
    coordinates = [
        Coordinate("lat", [-30.0, 60.0], "degrees_north", "latitude", "latitude", axis="Y"),
        Coordinate("p", [1000.0, 10.0], "hPa", "pressure", axis="Z"),
        Coordinate("time", [0, 3600], "s", "time", epoch="2020-02-28T23:30:00Z"),
    ]
    attrs = build_dataset(coordinates, [], ATTRIBUTES).attrs
    assert (attrs["geospatial_lat_min"], attrs["geospatial_lat_max"]) == (-30.0, 60.0)
    assert (attrs["geospatial_vertical_min"], attrs["geospatial_vertical_units"]) == (10.0, "hPa")
    assert attrs["time_coverage_end"] == "2020-02-29T00:30:00+00:00"


def test_what_xarray_would_read_as_an_interval_stays_a_number():
    made = build_dataset([X], [quantity(units="seconds")], ATTRIBUTES)
    assert made["u"].attrs["units"] == "s"


@pytest.mark.parametrize("values", [[0.1, 0.2, 0.5], [0.5, 0.2, 0.1]])
def test_midpoint_bounds_share_their_edges_and_end_where_told(values):
    bounds = midpoint_bounds(values, lower=0.0, upper=0.6)
    np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
    np.testing.assert_allclose(sorted(set(bounds.ravel())), [0.0, 0.15, 0.35, 0.6])
    np.testing.assert_allclose(np.ptp(bounds, axis=1).sum(), 0.6)
    free = midpoint_bounds(values)
    np.testing.assert_allclose([free.min(), free.max()], [0.05, 0.65])


@pytest.mark.parametrize(
    "arguments", [([0.1, 0.2], 0.15), ([0.1, 0.2], None, 0.15), ([1.0],), ([1.0, 1.0],), ([],)]
)
def test_midpoint_bounds_refuse_what_makes_no_cells(arguments):
    with pytest.raises(PinnlabError, match="midpoint_bounds"):
        midpoint_bounds(*arguments)


@pytest.mark.parametrize(
    "seconds, unit",
    [([0.0, 60.0], "seconds"), ([0.0, 0.25], "milliseconds"), ([0.0, 1e-6], "microseconds")],
)
def test_calendar_time_loses_nothing_down_to_a_microsecond(seconds, unit):
    time = Coordinate("time", seconds, "s", "time", epoch="2020-01-01T00:00:00+05:30")
    made = build_dataset([time], [], ATTRIBUTES).time
    assert made.encoding["units"] == f"{unit} since 2020-01-01 00:00:00"
    assert made.attrs["time_zone"] == "UTC+05:30"
    step = (made.values[1] - made.values[0]) / np.timedelta64(1, "ns")
    assert step == round(seconds[1] * 1e9)


def test_bounds_finer_than_the_times_are_kept():
    time = Coordinate("time", [0, 1], "s", "time", epoch=EPOCH, bounds=[[-0.5, 0.5], [0.5, 1.5]])
    made = build_dataset([time], [], ATTRIBUTES)
    assert made.time_bnds.values[0, 1] == np.datetime64("2014-07-01T00:00:00.500")
    assert made.time.encoding["units"].startswith("milliseconds since")


def test_dates_beyond_what_xarray_holds_are_refused():
    time = Coordinate("time", [0.0, 1e10], "s", "time", epoch=EPOCH)
    with pytest.raises(PinnlabError, match="1678 and 2262"):
        build_dataset([time], [], ATTRIBUTES)
