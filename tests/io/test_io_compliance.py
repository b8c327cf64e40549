"""Files pass the CF checker, hold what a reader needs, and come back identical."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pinnlab.io import read_dataset, write_netcdf, write_zarr

CHECKER = Path(sys.executable).with_name("compliance-checker")
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=["soil", "burgers"])
def run(request):
    return request.getfixturevalue(request.param)


def test_the_cf_checker_has_no_finding(run, tmp_path):
    path = tmp_path / "run.nc"
    write_netcdf(run, path)
    done = subprocess.run(
        [CHECKER, "--test=cf:1.11", path], capture_output=True, text=True, check=False
    )
    assert "All tests passed!" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_checker_sees_a_broken_file(soil, tmp_path):
    """The gate above can fail: the same file without one attribute has a finding."""
    del soil["soil_temperature"].attrs["units_metadata"]
    write_netcdf(soil, tmp_path / "run.nc")
    done = subprocess.run(
        [CHECKER, "--test=cf:1.11", tmp_path / "run.nc"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "All tests passed!" not in done.stdout


@pytest.mark.parametrize("write, name", [(write_netcdf, "run.nc"), (write_zarr, "run.zarr")])
def test_round_trip_is_identical(run, tmp_path, write, name):
    before = run.copy(deep=True)
    for _ in range(2):  # the second time over what is there
        write(run, tmp_path / name)
    xr.testing.assert_identical(run, before)  # writing changes nothing in memory
    back = read_dataset(tmp_path / name)
    xr.testing.assert_identical(back, before)
    assert {k: v.dtype for k, v in back.variables.items()} == {
        k: v.dtype for k, v in before.variables.items()
    }
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_conversion_between_formats_is_identical(run, tmp_path):
    write_netcdf(run, tmp_path / "a.nc")
    write_zarr(read_dataset(tmp_path / "a.nc"), tmp_path / "b.zarr")
    write_netcdf(read_dataset(tmp_path / "b.zarr"), tmp_path / "c.nc")
    xr.testing.assert_identical(read_dataset(tmp_path / "c.nc"), run)


def test_plain_xarray_reads_the_same(run, tmp_path):
    write_netcdf(run, tmp_path / "run.nc")
    write_zarr(run, tmp_path / "run.zarr")
    with xr.open_dataset(tmp_path / "run.nc") as plain:
        xr.testing.assert_identical(plain.load(), run)
    with xr.open_zarr(tmp_path / "run.zarr", consolidated=False) as plain:
        xr.testing.assert_identical(plain.load(), run)


def test_a_day_at_the_site_is_selected_by_its_date(soil, tmp_path):
    write_netcdf(soil, tmp_path / "run.nc")
    day = read_dataset(tmp_path / "run.nc").sel(time="2014-07-09")
    assert day.sizes["time"] == 48
    assert day.time.values[0] == np.datetime64("2014-07-09T00:15")
    assert day.time.attrs["time_zone"] == "UTC-08:00"
    assert soil.attrs["time_coverage_start"] == "2014-07-01T00:15:00-08:00"


def test_the_file_itself_follows_cf(soil, tmp_path):
    """As a reader without decoding sees it."""
    write_netcdf(soil, tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc", decode_cf=False) as raw:
        assert raw.time.attrs["units"].startswith("seconds since 2014-07-01")
        assert raw.time.attrs["calendar"] == "standard"
        assert not any("_FillValue" in raw[n].attrs for n in ("time", "depth", "latitude"))
        assert raw["time_bnds"].attrs == {} and raw["depth_bnds"].attrs == {}
        np.testing.assert_array_equal(raw["time_bnds"][1], [1800, 3600])
        temperature = raw["soil_temperature"]
        assert temperature.dims == ("time", "depth")  # it was given the other way round
        assert temperature.attrs["coordinates"].split() == ["latitude", "longitude"]
        assert temperature.attrs["_FillValue"].dtype == temperature.dtype == np.float32
        assert temperature.encoding["zlib"] and temperature.encoding["shuffle"]
        assert raw["observation_use"].attrs["flag_values"].dtype == np.int8
        assert raw["soil_temperature_residual"].attrs["units_metadata"] == "temperature: difference"


def test_zarr_is_version_3_with_dimension_names(soil, tmp_path):
    zarr = pytest.importorskip("zarr")
    write_zarr(soil, tmp_path / "run.zarr")
    group = zarr.open_group(tmp_path / "run.zarr", mode="r", use_consolidated=False)
    assert group.metadata.zarr_format == 3 and group.metadata.consolidated_metadata is None
    assert group["soil_temperature"].metadata.dimension_names == ("time", "depth")
