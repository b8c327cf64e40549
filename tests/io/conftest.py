"""Two datasets as real runs leave them: an inverse problem at a site, and a mathematical one."""

import numpy as np
import pytest

from pinnlab.io import Coordinate, Quantity, Site, build_dataset, midpoint_bounds
from pinnlab.io.provenance import provenance

CONFIG = "equation:\n  _target_: pinnlab.Soil\n  diffusivity: profile  # größer\nseed: 3\n"


def global_attributes(**more):
    return provenance(
        CONFIG,
        "pinnlab experiment=soil_heat equation.diffusivity=profile",
        title="Soil temperature and diffusivity at US-Tw3",
        summary="An inverse problem: temperature at every depth, and the soil's diffusivity.",
        keywords=("soil temperature", "inverse problem"),
        references="https://doi.org/10.17190/AMF/1246149",
        license="CC-BY-4.0",
        device="cpu",
        processor="x86_64",
        precision="float64",
        seeds=[0, 1, 2],
        seconds=12.5,
        rmse_soil_temperature=float("nan"),
        **more,
    )


def soil_parts():
    """Coordinates and quantities of a soil column: 96 half hours, six depths."""
    rng = np.random.default_rng(0)
    seconds = 900.0 + 1800.0 * np.arange(9 * 48)
    depth = np.array([0.02, 0.04, 0.08, 0.16, 0.24, 0.32])
    time = Coordinate(
        "time",
        seconds,
        "s",
        "time in local standard time",
        epoch="2014-07-01T00:00:00-08:00",
        bounds=np.stack([seconds - 900, seconds + 900], axis=1),
    )
    z = Coordinate(
        "depth",
        depth,
        "m",
        "depth below the surface",
        standard_name="depth",
        axis="Z",
        positive="down",
        bounds=midpoint_bounds(depth, lower=0.0, upper=0.4),
    )
    truth = 293 + 5 * np.sin(2 * np.pi * seconds[:, None] / 86400 - 9 * depth)
    error = 0.1 * rng.normal(size=truth.shape)
    truth[3, 2] = error[3, 2] = np.nan
    held_out = np.where((seconds[:, None] > 5e5) & (depth == 0.16), 1, 0).astype(np.int8)
    # Given as (depth, time): the dataset must bring it into CF's order.
    field = {"dims": ("depth", "time"), "units": "K", "cell_methods": "time: mean depth: point"}
    quantities = [
        Quantity(
            "soil_temperature",
            values=(truth + error).T.astype(np.float32),
            long_name="soil temperature",
            standard_name="soil_temperature",
            temperature="on_scale",
            ancillary=(
                "soil_temperature_error",
                "soil_temperature_residual",
                "soil_temperature_spread",
            ),
            **field,
        ),
        Quantity(
            "soil_temperature_reference",
            values=truth.T,
            long_name="soil temperature, measured",
            standard_name="soil_temperature",
            temperature="on_scale",
            ancillary="observation_use",
            coverage="physicalMeasurement",
            **field,
        ),
        Quantity(
            "soil_temperature_error",
            values=error.T,
            long_name="prediction minus measurement",
            temperature="difference",
            coverage="qualityInformation",
            **field,
        ),
        Quantity(
            "soil_temperature_residual",
            values=1e-6 * error.T,
            long_name="residual of the heat equation",
            coverage="qualityInformation",
            **(field | {"units": "K s-1"}),
        ),
        Quantity(
            "soil_temperature_spread",
            values=np.abs(error.T),
            long_name="standard deviation over seeds",
            standard_name="soil_temperature standard_error",
            temperature="difference",
            coverage="qualityInformation",
            **field,
        ),
        Quantity(
            "observation_use",
            ("time", "depth"),
            held_out,
            "",
            "whether the training saw this observation",
            flags={"used_in_training": 0, "held_out": 1},
            coverage="qualityInformation",
        ),
        Quantity(
            "diffusivity",
            ("depth",),
            np.linspace(4e-7, 6e-7, 6),
            "m2 s-1",
            "thermal diffusivity of the soil",
            ancillary=("diffusivity_spread",),
        ),
        Quantity(
            "diffusivity_spread", ("depth",), np.full(6, 1e-8), "m2 s-1", "spread of diffusivity"
        ),
        Quantity("surface_flux", (), 31.5, "W m-2", "ground heat flux", comment="mean of the run"),
        Quantity("surface_flux_lower", (), 30.0, "W m-2", "lower end of the 95 % interval"),
        Quantity("surface_flux_upper", (), 33.0, "W m-2", "upper end of the 95 % interval"),
    ]
    return [time, z], quantities


@pytest.fixture
def soil():
    coordinates, quantities = soil_parts()
    site = Site(38.1159, -121.6467, "US-Tw3")
    return build_dataset(coordinates, quantities, global_attributes(), site)


@pytest.fixture
def burgers():
    t, x = np.linspace(0, 1, 11), np.linspace(-1, 1, 64, endpoint=False)
    values = np.exp(-t[:, None]) * np.sin(np.pi * x)
    return build_dataset(
        [
            Coordinate("t", t, "1", "model time"),
            Coordinate("x", x, "1", "position", axis="X"),
        ],
        [
            Quantity("u", ("t", "x"), values, "1", "velocity", ancillary=("u_error",)),
            Quantity("u_error", ("t", "x"), 1e-5 * values, "1", "error of the velocity"),
            Quantity("viscosity", (), 0.01 / np.pi, "1", "viscosity"),
        ],
        global_attributes(),
    )
