"""Datasets of every kind that a run can leave, made from closed forms."""

import numpy as np
import pytest
import xarray as xr


def array(dims, values, units, long_name, **attrs):
    return xr.Variable(dims, values, {"units": units, "long_name": long_name, **attrs})


def with_reference(ds, name, error):
    """Take *name* as the truth: it becomes the reference, and the prediction is off by *error*."""
    truth = ds[name]
    ds[f"{name}_reference"] = truth.copy()
    ds[name] = (truth + error).assign_attrs(truth.attrs)
    ds[f"{name}_error"] = (truth.dims, ds[name].values - truth.values, truth.attrs)
    relative = np.linalg.norm(ds[f"{name}_error"]) / np.linalg.norm(truth)
    return ds.assign_attrs({f"relative_l2_{name}": float(relative)})


def make_burgers():
    """One dimension of space and model time, with a reference, a residual and a spread."""
    t, x = np.linspace(0, 1, 101), np.linspace(-1, 1, 201)
    u = -np.sin(np.pi * x) * np.exp(-t[:, None]) - np.tanh(x / 0.05) * t[:, None] * (1 - x**2)
    ds = xr.Dataset(
        {
            "t": array("t", t, "s", "time"),
            "x": array("x", x, "m", "position"),
            "velocity": array(("t", "x"), u, "m s-1", "velocity"),
        },
        attrs={"title": "Viscous Burgers equation", "method": "network"},
    )
    ds.attrs["reference"] = "exact (Cole-Hopf)"
    error = 2e-5 * np.sin(7 * x) * t[:, None] + 3e-4 * np.exp(-((x / 0.03) ** 2)) * t[:, None]
    ds = with_reference(ds, "velocity", error)
    rng = np.random.default_rng(1)
    noise = 1e-4 * np.exp(rng.normal(size=u.shape) - 4 * np.abs(x))
    ds["velocity_residual"] = array(("t", "x"), noise, "1", "residual of the equation")
    ds["velocity_spread"] = array(("t", "x"), 0.3 * np.abs(error), "m s-1", "spread over seeds")
    return ds


def make_soil():
    """An inverse problem: calendar time, depth downwards, observations, a profile."""
    times = np.datetime64("2014-07-01T00:15", "ns") + np.arange(672) * np.timedelta64(30, "m")
    seconds = 1800.0 * np.arange(672)
    depth, sensors = np.linspace(0.02, 0.32, 31), np.array([0.02, 0.04, 0.08, 0.16, 0.32])
    rng = np.random.default_rng(2)

    def temperature(z):
        daily = 6 * np.exp(-z / 0.11) * np.sin(2 * np.pi * seconds[:, None] / 86400 - z / 0.11 - 2)
        return 293.0 + daily + 1.5 * np.sin(2 * np.pi * seconds[:, None] / 9e5) - 3 * z

    measured = temperature(sensors) + 0.03 * rng.normal(size=(672, 5))
    measured[100:140, 1] = np.nan
    held = np.zeros((672, 5), dtype=np.int8)
    held[336:, 3] = 1
    off = 0.15 * np.sin(2 * np.pi * seconds[:, None] / 43200) * held
    k = 4e-7 + 6e-7 * depth
    kelvin = {"units_metadata": "temperature: on_scale"}
    flags = {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "used held_out"}
    down = {"positive": "down", "axis": "Z", "standard_name": "depth"}
    observed = ("time", "depth_observed")
    return xr.Dataset(
        {
            "time": ("time", times, {"long_name": "time", "time_zone": "UTC-08:00", "axis": "T"}),
            "depth": array("depth", depth, "m", "depth in soil", **down),
            "depth_observed": array("depth_observed", sensors, "m", "depth of sensor", **down),
            "soil_temperature": array(
                ("time", "depth"), temperature(depth), "K", "soil temperature", **kelvin
            ),
            "soil_temperature_residual": array(
                ("time", "depth"), 1e-3 * rng.normal(size=(672, 31)), "1", "residual"
            ),
            "soil_temperature_observed": array(observed, measured, "K", "measured", **kelvin),
            "soil_temperature_held_out": xr.Variable(observed, held, flags),
            "soil_temperature_at_observations": array(
                observed, temperature(sensors) + off, "K", "prediction", **kelvin
            ),
            "diffusivity": array("depth", k, "m2 s-1", "thermal diffusivity of soil"),
            "diffusivity_lower": array("depth", 0.9 * k, "m2 s-1", "lower end"),
            "diffusivity_upper": array("depth", 1.12 * k, "m2 s-1", "upper end"),
        },
        attrs={"title": "Soil temperature and diffusivity at US-Tw3", "method": "network"},
    )


def make_poisson():
    """Two dimensions of space, steady, the axes in either order."""
    x, y = np.linspace(0, 1, 65), np.linspace(0, 1, 49)
    u = np.sin(np.pi * x[:, None]) * np.sin(2 * np.pi * y)
    ds = xr.Dataset(
        {
            "x": array("x", x, "1", "position"),
            "y": array("y", y, "1", "position"),
            "potential": array(("x", "y"), u, "1", "potential"),
        },
        attrs={"title": "Poisson equation on the unit square", "reference": "exact"},
    )
    return with_reference(ds, "potential", 3e-9 * np.cos(9 * x[:, None]) * np.sin(8 * np.pi * y))


def make_vorticity():
    """Two dimensions of space and time, two variables, one without a reference."""
    t, x, y = np.linspace(0, 2, 5), np.linspace(0, 6.2, 64), np.linspace(0, 6.2, 64)
    w = np.exp(-0.2 * t)[:, None, None] * np.cos(2 * x) * np.cos(2 * y[:, None])
    ds = xr.Dataset(
        {
            "t": array("t", t, "s", "time"),
            "y": array("y", y, "m", "position"),
            "x": array("x", x, "m", "position"),
            "vorticity": array(("t", "y", "x"), w, "s-1", "vorticity"),
            "stream_function": array(("t", "y", "x"), w / 8, "m2 s-1", "stream function"),
        },
        attrs={"title": "Decaying vortices in a periodic box"},
    )
    return with_reference(ds, "vorticity", 1e-4 * w * np.sin(x))


def make_swing():
    """A system of ordinary differential equations with observations and a learned number."""
    t = np.linspace(0, 10, 401)
    angle = 0.5 + 0.4 * np.exp(-0.2 * t) * np.cos(3 * t)
    ds = xr.Dataset(
        {
            "t": array("t", t, "s", "time"),
            "rotor_angle": array("t", angle, "rad", "rotor angle"),
            "rotor_speed": array("t", np.gradient(angle, t), "rad s-1", "rotor speed"),
            "damping": array((), 0.2013, "1", "damping"),
            "damping_lower": array((), 0.1994, "1", "lower end"),
            "damping_upper": array((), 0.2031, "1", "upper end"),
        },
        attrs={"title": "Single machine swinging against the grid", "method": "network"},
    )
    ds = with_reference(ds, "rotor_angle", 2e-4 * np.sin(5 * t))
    ds = with_reference(ds, "rotor_speed", 8e-4 * np.sin(5 * t))
    ds["rotor_angle_spread"] = array("t", 0.01 + 0.002 * t, "rad", "spread over seeds")
    some = slice(None, None, 20)
    ds["t_observed"] = array("t_observed", t[some], "s", "time")
    noisy = angle[some] + 0.01 * np.cos(50 * t[some])
    ds["rotor_angle_observed"] = array("t_observed", noisy, "rad", "measured rotor angle")
    ds["rotor_angle_at_observations"] = array("t_observed", angle[some], "rad", "rotor angle")
    return ds


def make_climate():
    """A steady line over latitude."""
    lat = np.linspace(-88, 88, 89)
    p2 = 0.5 * (3 * np.sin(np.deg2rad(lat)) ** 2 - 1)
    ds = xr.Dataset(
        {
            "lat": array("lat", lat, "degrees_north", "latitude", standard_name="latitude"),
            "surface_temperature": array("lat", 288.15 - 30 * p2, "K", "surface temperature"),
        },
        attrs={"title": "Energy balance of latitude belts", "reference": "exact"},
    )
    return with_reference(ds, "surface_temperature", 2e-4 * p2**2)


def make_history():
    """Two phases: an exponential decay of the loss, then a faster one."""
    records = []
    for step in range(100, 4001, 100):
        phase = int(step > 2500)
        loss = 0.1 * np.exp(-step / 600) * (0.01 ** (phase * (step - 2500) / 1500))
        terms = {"residual_u": 0.7 * loss, "initial_u": 0.2 * loss, "boundary_x": 0.1 * loss}
        fresh = {"loss": float(loss), "fresh_loss": float(1.3 * loss), "terms": terms}
        records.append({"step": step, "phase": phase, "seconds": step / 80, **fresh})
    return records


MAKERS = {
    "burgers": make_burgers,
    "soil": make_soil,
    "poisson": make_poisson,
    "vorticity": make_vorticity,
    "swing": make_swing,
    "climate": make_climate,
}


@pytest.fixture(params=list(MAKERS))
def kind(request):
    """One dataset after the other."""
    return MAKERS[request.param]()


@pytest.fixture
def burgers():
    return make_burgers()


@pytest.fixture
def soil():
    return make_soil()


@pytest.fixture
def poisson():
    return make_poisson()


@pytest.fixture
def vorticity():
    return make_vorticity()


@pytest.fixture
def swing():
    return make_swing()


@pytest.fixture
def climate():
    return make_climate()


@pytest.fixture
def history():
    return make_history()
