"""What the figures show: the right numbers, the right way round, with names and units."""

import io

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection, QuadMesh
from matplotlib.dates import ConciseDateFormatter, date2num, num2date
from matplotlib.text import Text

from pinnlab.report import coordinates, field, observed, overview, profile, quality, series, style
from pinnlab.report import history as losses


def axes_of(figure, start):
    """The one panel whose title starts so."""
    figure.savefig(io.BytesIO())  # ticks and positions exist once drawn
    (found,) = [ax for ax in figure.axes if ax.get_title(loc="left").startswith(start)]
    return found


def mesh_of(ax):
    (mesh,) = [c for c in ax.collections if isinstance(c, QuadMesh)]
    return mesh


def texts(figure):
    """All texts, with long ones on one line."""
    return {" ".join(t.get_text().split()) for t in figure.findobj(Text)}


def line(ax, label):
    (found,) = [one for one in ax.lines if one.get_label() == label]
    return np.ma.filled(found.get_xydata(), np.nan)


@pytest.mark.parametrize(
    "name, variable, cut, dims",
    [
        ("burgers", "velocity", {}, ("x", "t")),
        ("poisson", "potential", {}, ("y", "x")),
        ("vorticity", "vorticity", {"t": -1}, ("y", "x")),
    ],
)
def test_error_panel_is_prediction_minus_reference(name, variable, cut, dims, request):
    ds = request.getfixturevalue(name)
    mesh = mesh_of(axes_of(overview.figure(ds), "Error"))
    expected = (ds[variable] - ds[f"{variable}_reference"]).isel(cut).transpose(*dims)
    np.testing.assert_array_equal(mesh.get_array(), expected.values)
    low, high = mesh.get_clim()
    assert low == -high == -np.abs(expected).max()


def test_error_line_is_prediction_minus_reference(climate):
    ax = axes_of(overview.figure(climate), "Error")
    expected = climate.surface_temperature - climate.surface_temperature_reference
    drawn = ax.lines[-1].get_xydata()
    np.testing.assert_array_equal(drawn, np.stack([climate.lat, expected], axis=1))


def test_prediction_and_reference_share_their_colours(burgers):
    figure = overview.figure(burgers)
    one, other = (mesh_of(axes_of(figure, t)) for t in ("Velocity: prediction", "Reference"))
    both = np.stack([burgers.velocity, burgers.velocity_reference])
    assert one.get_clim() == other.get_clim() == (both.min(), both.max())
    assert one.cmap.name == "viridis"


def test_titles_labels_and_units_are_there(burgers):
    shown = texts(overview.figure(burgers))
    assert {"time t [s]", "position x [m]", "velocity [m s⁻¹]"} <= shown
    assert "prediction − reference [10⁻⁴ m s⁻¹]" in shown
    assert any("Viscous Burgers" in t and "exact (Cole-Hopf)" in t for t in shown)
    relative = style.number(burgers.attrs["relative_l2_velocity"])
    assert f"Error: relative L2 {relative}" in shown


def test_the_norm_of_a_section_is_that_of_what_is_shown(vorticity):
    last = vorticity.isel(t=-1)
    expected = np.linalg.norm(last.vorticity_error) / np.linalg.norm(last.vorticity_reference)
    figure = overview.figure(vorticity.assign_attrs(relative_l2_vorticity=0.5))
    assert axes_of(figure, f"Error: relative L2 {style.number(expected)}")
    assert any("shown at t = 2 s" in t for t in texts(figure))


def test_an_error_at_the_floor_is_said_to_be_so(burgers):
    at = burgers.assign_attrs(reference_floor=0.4 * burgers.attrs["relative_l2_velocity"])
    assert any("floor: velocity (" in t for t in texts(overview.figure(at)))
    above = burgers.assign_attrs(reference_floor=0.3 * burgers.attrs["relative_l2_velocity"])
    assert any("at the reference's floor" in t for t in texts(overview.figure(at)))
    assert not any("floor" in t for t in texts(overview.figure(above)))


def test_calendar_time_runs_along_the_foot_and_depth_downwards(soil):
    ax = axes_of(overview.figure(soil), "Soil temperature: prediction")
    assert ax.yaxis_inverted() and ax.get_ylabel() == "depth in soil [m]"
    assert ax.get_xlabel() == "time (UTC-08:00)"
    assert isinstance(ax.xaxis.get_major_formatter(), ConciseDateFormatter)
    assert [num2date(x).day for x in ax.get_xlim()] == [1, 14]
    np.testing.assert_array_equal(mesh_of(ax).get_array(), soil.soil_temperature.T)


def test_held_out_stretch_is_marked_where_it_is(soil):
    ax = axes_of(overview.figure(soil), "Soil temperature: prediction")
    drawn = line(ax, "held out")
    marked = drawn[np.isfinite(drawn[:, 1])]
    assert set(marked[:, 1]) == {0.16}
    np.testing.assert_array_equal(marked[:, 0], date2num(soil.time[336:]))


def test_series_title_carries_the_error_of_the_failed_sensor(soil):
    error = soil.soil_temperature_at_observations - soil.soil_temperature_observed
    held = soil.soil_temperature_held_out == 1
    here = error.where(held).sel(depth_observed=0.16)
    rmse = style.number(float(np.sqrt((here**2).mean())))
    ax = axes_of(series.figure(soil), "depth = 0.16 m")
    assert ax.get_title(loc="left").startswith(f"depth = 0.16 m: RMSE {rmse} K where held out")
    hidden = line(ax, "observed, held out")
    np.testing.assert_array_equal(
        hidden[336:, 1], soil.soil_temperature_observed.sel(depth_observed=0.16)[336:]
    )
    assert np.isnan(hidden[:336, 1]).all()
    assert len(line(ax, "prediction")) == 672


def test_series_shows_every_place_and_keeps_the_held_out_ones_of_many(soil):
    assert len([a for a in series.figure(soil).axes if "depth =" in a.get_title(loc="left")]) == 5
    found = observed.places(soil, "soil_temperature", "time")
    kept = observed.chosen(found, 2)
    assert len(kept) == 2 and any(place.name == "depth = 0.16 m" for place in kept)


def test_observations_share_the_unit_of_the_output_axis(swing):
    """Ten days in seconds are shown in days, and so are observations from the first hours."""
    slow = swing.assign_coords(
        t=("t", swing.t.values * 86400, swing.t.attrs),
        t_observed=("t_observed", swing.t_observed.values * 3600, swing.t_observed.attrs),
    )
    (place,) = observed.places(slow, "rotor_angle", "t")
    np.testing.assert_allclose(place.when, swing.t_observed / 24, rtol=1e-12)
    ax = axes_of(overview.figure(slow), "Rotor angle")
    np.testing.assert_allclose(line(ax, "observed")[:, 0], swing.t_observed / 24, rtol=1e-12)
    assert "time t [days]" in texts(overview.figure(slow))


def test_profile_stands_upright_with_its_interval(soil):
    ax = axes_of(profile.figure(soil), "Thermal diffusivity of soil")
    np.testing.assert_array_equal(
        line(ax, "learned"), np.stack([soil.diffusivity, soil.depth], axis=1)
    )
    (band,) = [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]
    corners = band.get_paths()[0].vertices
    assert corners[:, 0].min() == soil.diffusivity_lower.min()
    assert corners[:, 0].max() == soil.diffusivity_upper.max()
    assert ax.get_xlabel() == "diffusivity [10⁻⁷ m² s⁻¹]" and ax.yaxis_inverted()


def test_learned_numbers_stand_in_the_heading(swing):
    heading = overview.figure(swing).get_suptitle()
    assert "damping 0.2013 (95 %: 0.1994 to 0.2031)" in heading


def test_lines_show_spread_and_reference(swing):
    ax = axes_of(overview.figure(swing), "Rotor angle")
    (band,) = [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]
    highest = float((swing.rotor_angle + swing.rotor_angle_spread).max())
    assert band.get_paths()[0].vertices[:, 1].max() == highest
    np.testing.assert_array_equal(line(ax, "reference")[:, 1], swing.rotor_angle_reference)
    assert (ax.get_ylabel(), ax.get_title(loc="left")) == ("rotor angle [rad]", "Rotor angle")


def test_quality_shows_the_size_of_the_residual(burgers):
    figure = quality.figure(burgers)
    mesh = mesh_of(axes_of(figure, "Velocity: residual"))
    np.testing.assert_array_equal(mesh.get_array(), abs(burgers.velocity_residual).T)
    assert "standard deviation over seeds [10⁻⁵ m s⁻¹]" in texts(figure)


def test_a_residual_over_one_axis_is_logarithmic_without_a_second_power(climate):
    size = 1e-7 * (1 + climate.lat.values**2)
    climate["surface_temperature_residual"] = ("lat", -size, {"units": "1"})
    ax = axes_of(quality.figure(climate), "Surface temperature: residual")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), size)
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel().split() == ["|residual|", "over", "its", "natural", "scale"]


def test_history_shows_losses_terms_and_phases(history):
    figure = losses.figure(history)
    top = axes_of(figure, "Training loss: 4,000 steps in 50.0 s")
    assert top.get_yscale() == "log"
    for key, label in (("loss", "training points"), ("fresh_loss", "fresh points")):
        expected = [(r["step"], r[key]) for r in history]
        np.testing.assert_array_equal(line(top, label), expected)
    (mark,) = [one for one in top.lines if one.get_label().startswith("_")]
    assert list(mark.get_xdata()) == [2500, 2500]
    assert {"phase 1", "phase 2", "residual u", "initial u", "boundary x"} <= texts(figure)


@pytest.mark.parametrize("size", [3e-9, 0.004, 0.3, 293.0, 4.2e6])
def test_ticks_times_the_power_in_the_label_are_the_values(size):
    figure = style.new_figure(6, 4)
    ax = figure.subplots()
    ax.plot([0.2 * size, size])
    label = style.scale_axis(ax.yaxis, "flux", "W m-2", 0.2 * size, size)
    figure.savefig(io.BytesIO())
    factor = label.removeprefix("flux [").removesuffix("W m⁻²]").strip().removeprefix("10")
    power = int(factor.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)
    assert not ax.yaxis.get_offset_text().get_visible()
    shown = [t for t in ax.yaxis.get_major_ticks() if t.label1.get_text()]
    assert len(shown) >= 3
    for tick in shown:
        text = tick.label1.get_text().replace("−", "-")
        assert float(text) * 10.0**power == pytest.approx(tick.get_loc(), rel=1e-6)
        assert len(text) <= 7


@pytest.mark.parametrize(
    "text, shown",
    [
        ("m2 s-1", "m² s⁻¹"),
        ("W m-2 K-1", "W m⁻² K⁻¹"),
        ("m/s", "m/s"),
        ("1", ""),
        ("degrees_north", "°N"),
        ("m^2", "m²"),
    ],
)
def test_units_as_people_write_them(text, shown):
    assert style.units(text) == shown


@pytest.mark.parametrize(
    "value, shown",
    [
        (0.0312, "0.031"),
        (0.03, "0.030"),
        (3.14e-5, "3.1×10⁻⁵"),
        (120.0, "120"),
        (12.0, "12"),
        (-2.5e7, "-2.5×10⁷"),
        (0.0, "0"),
        (np.nan, "nan"),
    ],
)
def test_numbers_as_people_write_them(value, shown):
    assert style.number(value) == shown


@pytest.mark.parametrize("value", [0.0, 3.0, -2e-12, 5e30])
def test_a_constant_lies_inside_its_colours(value):
    low, high = field.limits(np.full((2, 2), value))
    assert low < value < high
    assert field.limits([np.nan, np.inf]) == (0.0, 1.0)
    assert field.limits([1.0, np.nan], [-3.0], symmetric=True) == (-3.0, 3.0)


def test_long_histories_keep_their_end():
    records = [{"step": i, "loss": 1.0 / i} for i in range(1, 20_000)]
    (drawn,) = losses.figure(records).axes[0].lines
    assert drawn.get_xdata().size <= 6000 and drawn.get_xdata()[-1] == 19_999


def test_cells_reach_from_end_to_end(burgers):
    edges = coordinates.edges(burgers, "x")
    assert edges.size == 202 and (edges[0], edges[-1]) == (-1.0, 1.0)
    bounds = np.stack([burgers.t - 0.005, burgers.t + 0.005], axis=1)
    bounds[1:, 0] = bounds[:-1, 1]  # they touch exactly
    ds = burgers.assign(t_bnds=(("t", "bnds"), bounds))
    ds["t"].attrs["bounds"] = "t_bnds"
    assert coordinates.edges(ds, "t")[0] == -0.005
    assert overview.figure(ds).axes  # bounds are no variable to draw
