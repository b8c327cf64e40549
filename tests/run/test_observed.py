"""Observations from a file: units, axes, calendar and what is held out."""

import numpy as np
import pytest
import xarray as xr

from pinnlab.core.errors import PinnlabError
from pinnlab.equations.energy.soil_heat import SoilHeat
from pinnlab.run.observed import read_observed

AXES = {"t": "time", "depth": "z"}
GIVEN = {"variable": "T", "name": "ts", "axes": AXES, "sigma": 0.1}


@pytest.fixture
def file(tmp_path):
    """Three sensors in centimetres and degrees Celsius, four half hours."""
    values = 10.0 + np.arange(12.0).reshape(3, 4)
    values[1, 2] = np.nan
    times = np.datetime64("2014-07-01T08:00") + np.arange(4) * np.timedelta64(30, "m")
    ds = xr.Dataset(
        {"ts": (("z", "time"), values, {"units": "degC"})},
        {"time": times, "z": ("z", [4.0, 8.0, 16.0], {"units": "cm"})},
    )
    ds.to_netcdf(tmp_path / "soil.nc")
    return str(tmp_path / "soil.nc")


def read(file, **more):
    given = {**GIVEN, "epoch": "2014-07-01T00:00:00-08:00", **more}
    return read_observed(SoilHeat(), file, **given)


def test_axes_units_and_calendar_are_those_of_the_equation(file):
    seen = read(file)
    np.testing.assert_allclose(seen.coordinates["t"], [0.0, 1800.0, 3600.0, 5400.0])
    np.testing.assert_allclose(seen.coordinates["depth"], [0.04, 0.08, 0.16])
    assert seen.values.shape == (4, 3)
    np.testing.assert_allclose(seen.values[:2, 0], [283.15, 284.15])


def test_training_sees_neither_gaps_nor_what_is_held_out(file):
    seen = read(file, held_out={"depth": "16 cm", "after": "0.5 h"})
    assert seen.held_out.sum() == 3 and seen.held_out[1:, 2].all()
    used = seen.training()
    assert used.values.size == 12 - 1 - 3
    late = used.points["t"][np.isclose(used.points["depth"], 0.16)]
    np.testing.assert_allclose(late, [0.0])


def test_the_errors_are_of_the_two_parts(file):
    seen = read(file, held_out={"depth": 0.16})
    found = seen.rmse(seen.values + np.where(seen.held_out, 3.0, 0.5))
    assert found == {"rmse_used": pytest.approx(0.5), "rmse_held_out": pytest.approx(3.0)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "tss"}, "observations.name.*'tss'; did you mean 'ts'"),
        ({"variable": "u"}, r"observations.variable.*'u'.*T"),
        ({"axes": {"t": "time"}}, "observations.axes.*depth"),
        ({"axes": {"t": "time", "depth": "x"}}, "observations.axes.*'x'.*time, z"),
        ({"epoch": ""}, "observations.epoch"),
        ({"epoch": "2014-07-02T00:00:00-08:00"}, "'time' runs from -86400.*outside"),
        ({"sigma": "1 m"}, "observations.sigma: the unit 'm'"),
        ({"held_out": {"z": 0.1}}, "observations.held_out.*'z'.*after, depth"),
        ({"held_out": {"depth": 0.1}}, "marks no observation"),
    ],
)
def test_a_mistake_names_the_key(file, change, said):
    with pytest.raises(PinnlabError, match=said):
        read(file, **change)
