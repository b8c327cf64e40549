"""Cut two weeks of soil temperatures from the AmeriFlux US-Tw3 table into a CF netCDF.

Usage: python data/make_us_tw3.py PATH/TO/US-Tw3_HH_2013-2018_soil_met.csv.gz

Writes us_tw3_soil_2014-07.nc beside this script, whole or not at all. The file carries no
clock time of its making, so the same table and the same library versions give the same bytes.
"""

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

FIRST, LAST = "201407010000", "201407142330"  # starts of half hours, local standard time
HALF_HOUR = 1800.0  # s
LENGTH = 14 * 48
SENSORS = {f"TS_1_{i}_1": depth for i, depth in enumerate((0.02, 0.04, 0.08, 0.16, 0.32), 1)}
HEAT_FLUX = "G"
OUTPUT = Path(__file__).with_name("us_tw3_soil_2014-07.nc")

GLOBAL_ATTRIBUTES = {
    "Conventions": "CF-1.11",
    "title": "Half-hourly soil temperature at five depths, AmeriFlux site US-Tw3, 2014-07-01 to "
    "2014-07-14",
    "institution": "Biometeorology Lab, University of California, Berkeley (principal "
    "investigator Dennis Baldocchi)",
    "source": "in-situ soil temperature and soil heat flux sensors at AmeriFlux US-Tw3, "
    "Twitchell Alfalfa, California, USA",
    "references": "Dennis Baldocchi (2013-) AmeriFlux US-Tw3 Twitchell Alfalfa, "
    "https://doi.org/10.17190/AMF/1246149",
    "licence": "AmeriFlux data policy: attribute the site (US-Tw3), its DOI and its "
    "investigators (Dennis Baldocchi, Joe Verfaillie)",
    "comment": "The depths of the sensors are assumed: the source table does not give them. "
    "Local standard time at the site is UTC-08:00 all the year; the time coordinate is in UTC. "
    "No value is missing and none was filled or smoothed.",
    "time_coverage_start": "2014-07-01T08:00:00Z",
    "time_coverage_end": "2014-07-15T08:00:00Z",
}

TIME_ATTRIBUTES = {
    "standard_name": "time",
    "long_name": "middle of the half hour",
    "axis": "T",
    # Local midnight (UTC-08:00) as UTC: every reader agrees on it, offsets in units they do not.
    "units": "seconds since 2014-07-01 08:00:00",
    "calendar": "proleptic_gregorian",
    "units_metadata": "leap_seconds: none",
    "bounds": "time_bnds",
    "comment": "UTC; zero is 2014-07-01 00:00 local standard time (UTC-08:00)",
}
DEPTH_ATTRIBUTES = {
    "standard_name": "depth",
    "long_name": "depth of the sensor below the soil surface",
    "units": "m",
    "positive": "down",
    "axis": "Z",
    "comment": "assumed: not given in the source table",
}
TEMPERATURE_ATTRIBUTES = {
    "standard_name": "soil_temperature",
    "long_name": "soil temperature",
    "units": "K",
    "units_metadata": "temperature: on_scale",
    "cell_methods": "time: mean depth: point",
    "comment": "columns TS_1_1_1 to TS_1_5_1 of the source, degrees Celsius plus 273.15",
}
FLUX_ATTRIBUTES = {
    "standard_name": "downward_heat_flux_in_soil",
    "long_name": "heat flux into the soil",
    "units": "W m-2",
    "cell_methods": "time: mean",
    "comment": "column G of the source; its depth is not given there",
}


def read_table(path: Path) -> pd.DataFrame:
    """Return the 672 half hours as a table, or stop with a message on a gap or missing column."""
    wanted = [*SENSORS, HEAT_FLUX]
    try:
        table = pd.read_csv(
            path,
            usecols=["TIMESTAMP_START", *wanted],
            dtype={"TIMESTAMP_START": str},
            comment="#",  # AmeriFlux BASE tables open with comment lines
        )
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: not a readable US-Tw3 half-hourly table: {error}") from error
    table = table.set_index("TIMESTAMP_START").loc[FIRST:LAST].astype(float)
    start = pd.to_datetime(table.index, format="%Y%m%d%H%M")
    steps = np.diff(start.to_numpy()) / np.timedelta64(1, "s")
    if len(table) != LENGTH or not np.all(steps == HALF_HOUR):
        raise SystemExit(
            f"{path}: expected {LENGTH} consecutive half hours from {FIRST} to {LAST}, "
            f"found {len(table)} rows"
        )
    gaps = table.isna() | (table <= -9999.0)
    if gaps.to_numpy().any():
        raise SystemExit(f"{path}: missing values in {list(table.columns[gaps.any()])}")
    return table


def to_dataset(table: pd.DataFrame, source: Path) -> xr.Dataset:
    """Return the CF dataset: soil temperature (time, depth) in K and heat flux (time) in W m-2."""
    edges = HALF_HOUR * np.arange(LENGTH + 1)
    celsius = table[list(SENSORS)].to_numpy()
    depth = np.array(list(SENSORS.values()))
    site = {
        "lat": ((), 38.1159, {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": ((), -121.6467, {"standard_name": "longitude", "units": "degrees_east"}),
    }
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    history = f"cut and converted by make_us_tw3.py from {source.name} (SHA-256 {digest})"
    return xr.Dataset(
        data_vars={
            "soil_temperature": (
                ("time", "depth"),
                (celsius + 273.15).astype(np.float32),
                TEMPERATURE_ATTRIBUTES,
            ),
            "heat_flux": (
                ("time",),
                table[HEAT_FLUX].to_numpy(dtype=np.float32),
                FLUX_ATTRIBUTES,
            ),
            "time_bnds": (("time", "bnds"), np.column_stack([edges[:-1], edges[1:]])),
        },
        coords={
            "time": (("time",), 0.5 * (edges[:-1] + edges[1:]), TIME_ATTRIBUTES),
            "depth": (("depth",), depth, DEPTH_ATTRIBUTES),
            **site,
        },
        attrs={**GLOBAL_ATTRIBUTES, "history": history},
    )


def write(dataset: xr.Dataset, path: Path) -> None:
    """Write the dataset to path, replacing it in one step."""
    encoding: dict[str, dict] = {str(name): {"_FillValue": None} for name in dataset.variables}
    for name in ("soil_temperature", "heat_flux"):
        encoding[name] |= {"zlib": True, "complevel": 9, "shuffle": True}
    handle, partial = tempfile.mkstemp(suffix=".nc", dir=path.parent)
    os.close(handle)
    try:
        dataset.to_netcdf(partial, format="NETCDF4", engine="netcdf4", encoding=encoding)
        Path(partial).chmod(0o644)
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)


def main() -> None:
    """Read the command line, cut, write and print the checksum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="the AmeriFlux csv.gz")
    source = parser.parse_args().table
    write(to_dataset(read_table(source), source), OUTPUT)
    print(f"{hashlib.sha256(OUTPUT.read_bytes()).hexdigest()}  {OUTPUT.name}")


if __name__ == "__main__":
    main()
