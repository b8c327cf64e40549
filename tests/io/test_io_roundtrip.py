"""Whatever the schema accepts comes back identical from netCDF and from Zarr."""

import string
import tempfile
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pinnlab.core import units
from pinnlab.core.errors import PinnlabError
from pinnlab.io import (
    Coordinate,
    Quantity,
    Site,
    build_dataset,
    read_dataset,
    write_netcdf,
    write_zarr,
)
from pinnlab.io.names import check_units

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
NUMBER = st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans()
ATTRIBUTE = (
    TEXT
    | NUMBER
    | st.lists(st.floats(), min_size=1, max_size=4)
    | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4)
)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda s: (
        s.lower() not in ("time", "bnds", "latitude", "longitude", "coordinates")
        and not s.endswith("_bnds")
        and s not in ("CLASS", "NAME")
    )
)
DTYPES = st.sampled_from(["f2", "f4", "f8", ">f8", "i1", "i2", "i4", "i8", "u1", "u4", "u8", "?"])
UNITS = st.sampled_from(["1", "m", "m2 s-1", "days", "seconds", "%"])
SAYING = TEXT.filter(str.strip)


@st.composite
def coordinate(draw, name):
    size = draw(st.integers(1, 4))
    steps = draw(st.lists(st.integers(1, 10**6), min_size=size, max_size=size))
    values = np.cumsum(steps) * draw(st.sampled_from([-1, 1, 0.25, 1e-3, 1e6]))
    bounds = None
    if draw(st.booleans()):
        bounds = np.stack([values - 0.5, values + 0.25], axis=1)
    if draw(st.booleans()):
        return Coordinate(name, values, draw(UNITS), draw(SAYING), bounds=bounds)
    epoch = draw(st.sampled_from(["2014-07-01T00:00:00-08:00", "1850-02-28T12:30:01Z"]))
    values, bounds = values * 1e-3, None if bounds is None else bounds * 1e-3
    return Coordinate(name, values, "s", draw(SAYING), bounds=bounds, epoch=epoch)


@st.composite
def datasets(draw):
    named = draw(st.lists(NAME, min_size=2, max_size=6, unique_by=str.lower))
    count = draw(st.integers(0, len(named) - 1))
    coordinates = [draw(coordinate(name)) for name in named[:count]]
    quantities = []
    for name in named[count:]:
        dims = draw(st.permutations(coordinates).flatmap(lambda p: st.sampled_from([p, p[:1], []])))
        shape = tuple(c.values.size for c in dims)
        values = draw(hnp.arrays(draw(DTYPES), shape))
        names = tuple(c.name for c in dims)
        quantities.append(Quantity(name, names, values, draw(UNITS), draw(SAYING)))
    attributes = draw(st.dictionaries(NAME, ATTRIBUTE, max_size=4))
    site = draw(st.none() | st.builds(Site, st.floats(-90, 90), st.floats(-180, 360), TEXT))
    needed = {"title": "a test", "history": "made by a test"}
    return build_dataset(coordinates, quantities, attributes | needed, site)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(datasets())
def test_round_trip_is_identical(dataset):
    with tempfile.TemporaryDirectory() as folder:
        for write, name in ((write_netcdf, "a.nc"), (write_zarr, "a.zarr")):
            path = Path(folder, name)
            write(dataset, path)
            back = read_dataset(path)
            xr.testing.assert_identical(back, dataset)
            assert {k: v.dtype for k, v in back.variables.items()} == {
                k: v.dtype for k, v in dataset.variables.items()
            }


WORDS = st.sampled_from([*units._NAMED, "km", "hPa", "mmol", "uV", "GW", "kK", "cm", "kmol"])
FACTOR = st.builds("{}{}{}".format, WORDS, st.sampled_from(["", "^", "**"]), st.integers(-3, 3))
TOKEN = WORDS | FACTOR | st.text(string.ascii_letters + "-/. ", max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.lists(TOKEN, min_size=1, max_size=3), st.sampled_from([" ", ".", "/", "*"]))
def test_units_that_are_accepted_mean_something_to_udunits(tokens, between):
    import cf_units

    text = between.join(tokens)
    try:
        accepted = check_units(text, "here")
    except PinnlabError:
        return
    for simple in ("K", "m2 s-1", "kg m-3"):  # and the same to both
        same = units.parse(accepted).exponents == units.parse(simple).exponents
        inverse = cf_units.Unit(simple).invert()
        assert same == (cf_units.Unit(accepted) * inverse).is_dimensionless()
