"""PointField: derivatives against analytic ones, how often the model is run, and metrics."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Domain,
    Function,
    PinnlabError,
    PointField,
    Profile,
    SineLatitude,
    Sphere,
)
from pinnlab.core.trace import record

BOX = Domain(t=Axis(0, 1), x=Axis(-1, 1), y=Axis(0, 2))


@pytest.fixture
def point():
    return {"t": jnp.asarray(0.3), "x": jnp.asarray(-0.4), "y": jnp.asarray(0.7)}


def u(p):
    return jnp.cos(1.3 * p["t"]) * jnp.exp(0.7 * p["x"]) * jnp.sin(2.1 * p["y"])


def u_derivative(point, **orders):
    """The derivative of u, written down by hand: each factor shifts by a quarter turn."""
    i, j, k = (orders.get(axis, 0) for axis in ("t", "x", "y"))
    t, x, y = (float(point[axis]) for axis in ("t", "x", "y"))
    return (
        1.3**i * np.cos(1.3 * t + i * np.pi / 2)
        * 0.7**j * np.exp(0.7 * x)
        * 2.1**k * np.sin(2.1 * y + k * np.pi / 2)
    )  # fmt: skip


def v(p):
    return p["x"] ** 3 * p["t"] + p["y"]


def pair(p):
    return {"u": u(p), "v": v(p)}


def single(p):
    return {"u": u(p)}


ORDERS = [
    {}, {"t": 1}, {"x": 1}, {"y": 1}, {"x": 2}, {"y": 2}, {"t": 2}, {"x": 3}, {"y": 4}, {"t": 4},
    {"x": 1, "y": 1}, {"t": 1, "x": 1}, {"x": 2, "y": 1}, {"x": 2, "y": 2}, {"t": 1, "x": 3},
    {"t": 1, "x": 1, "y": 1},
]  # fmt: skip


def slots_of(*orders):
    return [("u", tuple(sorted(o.items()))) for o in orders]


@pytest.mark.parametrize("orders", ORDERS, ids=str)
@pytest.mark.parametrize("model", [single, pair])
def test_derivatives_without_slots(point, orders, model):
    f = PointField(model, point, BOX, tuple(model(point)))
    np.testing.assert_allclose(f("u", **orders), u_derivative(point, **orders), rtol=1e-12)


@pytest.mark.parametrize("model", [single, pair])
@pytest.mark.parametrize(
    "asked",
    [ORDERS, ORDERS[:7] + ORDERS[10:12], ORDERS[:5], [{"t": 1}, {"x": 2}], [{"x": 1, "y": 1}]],
    ids=["all", "second order", "no mixed", "heat", "mixed only"],
)
def test_derivatives_with_slots(point, model, asked):
    f = PointField(model, point, BOX, tuple(model(point)), slots_of(*asked))
    for orders in asked:
        np.testing.assert_allclose(f("u", **orders), u_derivative(point, **orders), rtol=1e-12)


def test_a_second_variable_has_its_own_derivatives(point):
    f = PointField(pair, point, BOX, ("u", "v"), slots_of({"x": 2}, {"x": 3}))
    np.testing.assert_allclose(f("v", x=2), 6 * point["x"] * point["t"], rtol=1e-12)
    np.testing.assert_allclose(f("v", x=2, t=1), 6 * point["x"], rtol=1e-12)
    np.testing.assert_allclose(f("v", y=2), 0.0, atol=1e-14)


def test_forward_over_reverse_agrees_with_nested_forward_mode(point):
    """With one variable the field turns a reverse sweep; with two it goes forward only."""
    asked = ORDERS[:7] + ORDERS[10:12]
    turned = PointField(single, point, BOX, ("u",), slots_of(*asked))
    nested = PointField(pair, point, BOX, ("u", "v"), slots_of(*asked))
    for orders in asked:
        np.testing.assert_allclose(turned("u", **orders), nested("u", **orders), rtol=1e-13)


def test_an_activation_without_a_taylor_rule_is_still_differentiated():
    def model(p):
        return {"u": _custom(p["x"])}

    f = PointField(model, {"x": jnp.asarray(0.3)}, Domain(x=Axis(0, 1)), ("u",))
    np.testing.assert_allclose(f("u", x=3), -np.cos(0.3), rtol=1e-12)


@jax.custom_jvp
def _custom(x):
    return jnp.sin(x)


@_custom.defjvp
def _(primals, tangents):
    return _custom(primals[0]), jnp.cos(primals[0]) * tangents[0]


class Counting:
    """A model that counts how often it is run."""

    def __init__(self, model):
        self.model, self.runs = model, 0

    def __call__(self, p):
        self.runs += 1
        return self.model(p)


@pytest.mark.parametrize(
    "asked, runs",
    [
        ([{}, {"t": 1}, {"x": 1}, {"x": 2}], 1),  # a tangent of one reverse sweep
        ([{}, {"t": 1}, {"x": 1}, {"y": 1}], 1),  # one reverse sweep
        ([{}, {"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}], 1),  # one Taylor expansion
        ([{"y": 2}, {"x": 1, "y": 1}, {"t": 1}, {"x": 1}], 1),  # u_xy lies on the tangent of y
        ([{"x": 2}, {"y": 2}, {"t": 1}, {"x": 1}], 2),  # a tangent for each axis of the Laplacian
    ],
    ids=str,
)
def test_each_derivative_is_computed_once_however_often_it_is_asked(point, asked, runs):
    model = Counting(single)
    f = PointField(model, point, BOX, ("u",), slots_of(*asked))
    for orders in asked * 3:
        f("u", **orders)
    assert model.runs == runs


def test_without_slots_an_answer_is_kept(point):
    model = Counting(single)
    f = PointField(model, point, BOX, ("u",))
    for _ in range(3):
        f("u", x=2)
        f("u", x=1)  # a lower rung of the same ladder
    assert model.runs == 1


SCRIPT = """
import jax, jax.numpy as jnp
from pinnlab.core import Axis, Domain, PointField
box = Domain(t=Axis(0, 1), x=Axis(0, 1), y=Axis(0, 1))
asked = [(), (("t", 1),), (("x", 1),), (("y", 1),), (("y", 2),), (("x", 1), ("y", 1))]
def ask(p):
    model = lambda p: {"u": jnp.sin(p["x"] * p["y"] + p["t"])}
    f = PointField(model, p, box, ("u",), [("u", o) for o in asked])
    return [f.derivative("u", o) for o in asked]
print(jax.make_jaxpr(ask)({"t": 0.1, "x": 0.2, "y": 0.3}))
"""


def test_the_program_is_the_same_in_every_process():
    """A resumed run is bit-identical, and finds its compiled program, only if this holds."""
    programs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "JAX_PLATFORMS": "cpu", "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4")
    }
    assert len(programs) == 1 and "sin" in programs.pop()


def test_functions_of_the_field_are_differentiated(point):
    f = PointField(single, point, BOX, ("u",))
    value, first, second = (u_derivative(point, x=k) for k in (0, 1, 2))
    square = f(lambda f: f("u") ** 2, x=2)
    np.testing.assert_allclose(square, 2 * first**2 + 2 * value * second, rtol=1e-12)
    mixed = f(lambda f: f("u", x=1) * f.coordinates["y"], x=1, y=1)
    expected = second + float(point["y"]) * u_derivative(point, x=2, y=1)
    np.testing.assert_allclose(mixed, expected, rtol=1e-12)


def conductivity(params, p):
    return params["a"] + params["b"] * p["x"] ** 2


@pytest.mark.parametrize("with_slots", [False, True])
def test_the_divergence_of_a_flux_with_a_coefficient(point, with_slots):
    k = Function(conductivity, {"a": jnp.asarray(2.0), "b": jnp.asarray(0.5)})

    def heat(f):
        return f(lambda f: f(k) * f("u", x=1), x=1)

    recorded = record(heat, BOX, ("u",))
    assert recorded.nested and not recorded.slots
    slots = slots_of({"x": 1}) if with_slots else ()
    f = PointField(single, point, BOX, ("u",), slots)
    x = float(point["x"])
    expected = (2 + 0.5 * x**2) * u_derivative(point, x=2) + x * u_derivative(point, x=1)
    np.testing.assert_allclose(heat(f), expected, rtol=1e-12)
    np.testing.assert_allclose(f(k), 2 + 0.5 * x**2, rtol=1e-15)
    np.testing.assert_allclose(f(k, x=1), x, rtol=1e-12)
    space = 3.0 * f.laplacian("u")
    expected = 3.0 * (u_derivative(point, x=2) + u_derivative(point, y=2))
    np.testing.assert_allclose(space, expected, rtol=1e-12)  # time is no space axis


def test_coefficients_of_every_kind(point):
    f = PointField(single, point, BOX, ("u",))
    assert f(3.0) == 3.0 and f(3.0, x=1) == 0.0
    leaf = jnp.asarray(2.5)
    assert f(leaf) == 2.5 and f(leaf, x=2) == 0.0
    linear = Profile("x", (-1.0, 0.0, 1.0), (1.0, 3.0, 4.0))
    np.testing.assert_allclose([f(linear), f(linear, x=1), f(linear, y=1)], [2.2, 2.0, 0.0])
    log = Profile("x", (-1.0, 1.0), (1.0, 4.0), logarithmic=True)
    expected = 4.0**0.3  # at 0.3 of the way
    np.testing.assert_allclose([f(log), f(log, x=1)], [expected, expected * np.log(4) / 2])


def test_the_recorder_lists_what_is_asked_once():
    def ask(f):
        return f("u", t=1) + f("u") * f("u", x=1) - f("u", x=2) + f("u", x=1) + f("u", y=0)

    asked = {orders for _, orders in record(ask, BOX, ("u",)).slots}
    assert asked == {(("t", 1),), (), (("x", 1),), (("x", 2),)}


@pytest.mark.parametrize(
    "ask, words",
    [
        (lambda f: f("u", z=1), ["axis 'z'", "t, x, y"]),
        (lambda f: f("w"), ["variable 'w'", "There are: u"]),
        (lambda f: f("u", x=-1), ["'x'", "0, 1, 2"]),
        (lambda f: f("u", x=1.5), ["'x'", "0, 1, 2"]),
    ],
)
def test_wrong_questions_name_what_exists(point, ask, words):
    with pytest.raises(PinnlabError) as error:
        ask(PointField(single, point, BOX, ("u",)))
    assert all(word in str(error.value) for word in words)


# ---------------------------------------------------------------- metrics

RADIUS = 2.0
GLOBE = Domain(
    metric=Sphere(RADIUS), lat=Axis(-90, 90, "degrees_north"), lon=Axis(0, 360, "degrees_east")
)
HARMONICS = {  # degree and a real surface harmonic of it, unnormalised
    "Y10": (1, lambda lat, lon: jnp.sin(lat)),
    "Y11": (1, lambda lat, lon: jnp.cos(lat) * jnp.sin(lon)),
    "Y21": (2, lambda lat, lon: jnp.sin(lat) * jnp.cos(lat) * jnp.cos(lon)),
    "Y22": (2, lambda lat, lon: jnp.cos(lat) ** 2 * jnp.cos(2 * lon)),
    "Y30": (3, lambda lat, lon: 5 * jnp.sin(lat) ** 3 - 3 * jnp.sin(lat)),
    "Y43": (4, lambda lat, lon: jnp.sin(lat) * jnp.cos(lat) ** 3 * jnp.sin(3 * lon)),
}


def globe_points():
    random = np.random.default_rng(0)
    return {"lat": jnp.asarray(random.uniform(-85, 85, 20)), "lon": jnp.asarray(
        random.uniform(0, 360, 20))}  # fmt: skip


def on_globe(function, ask):
    def model(p):
        return {"u": function(jnp.deg2rad(p["lat"]), jnp.deg2rad(p["lon"]))}

    points = globe_points()
    return jax.vmap(lambda p: ask(PointField(model, p, GLOBE, ("u",))))(points), points


@pytest.mark.parametrize("name", HARMONICS)
def test_spherical_harmonics_are_eigenfunctions(name):
    degree, function = HARMONICS[name]
    found, points = on_globe(function, lambda f: f.laplacian("u"))
    values = function(jnp.deg2rad(points["lat"]), jnp.deg2rad(points["lon"]))
    np.testing.assert_allclose(found, -degree * (degree + 1) / RADIUS**2 * values, atol=1e-11)
    divergence, _ = on_globe(function, lambda f: f.div(lambda f: f.grad("u")))
    np.testing.assert_allclose(divergence, found, atol=1e-11)


def test_gradient_and_divergence_on_the_sphere():
    """The eastward speed of a turning globe has no divergence; a northward one converges."""
    found, points = on_globe(HARMONICS["Y11"][1], lambda f: f.grad("u"))
    lat, lon = (jnp.deg2rad(points[a]) for a in ("lat", "lon"))
    np.testing.assert_allclose(found["lat"], -jnp.sin(lat) * jnp.sin(lon) / RADIUS, atol=1e-13)
    np.testing.assert_allclose(found["lon"], jnp.cos(lon) / RADIUS, atol=1e-13)

    def turning(f):
        return {"lat": 0.0 * f("u"), "lon": jnp.cos(jnp.deg2rad(f.coordinates["lat"]))}

    def northward(f):
        return {"lat": jnp.ones_like(f("u")), "lon": 0.0 * f("u")}

    found, _ = on_globe(HARMONICS["Y11"][1], lambda f: f.div(turning))
    np.testing.assert_allclose(found, 0.0, atol=1e-13)
    found, _ = on_globe(HARMONICS["Y11"][1], lambda f: f.div(northward))
    np.testing.assert_allclose(found, -jnp.tan(lat) / RADIUS, rtol=1e-11)


@pytest.mark.parametrize("degree", [1, 2, 4, 6])
def test_legendre_polynomials_are_eigenfunctions_along_the_sine_of_latitude(degree):
    domain = Domain(metric=SineLatitude(), x=Axis(-1, 1))
    coefficients = np.polynomial.legendre.leg2poly([0] * degree + [1])[::-1]

    def model(p):
        return {"T": jnp.polyval(jnp.asarray(coefficients), p["x"])}

    def spread(params, p):
        return 1.0 + p["x"] ** 2

    x = jnp.linspace(-1.0, 1.0, 9)
    field = [PointField(model, {"x": here}, domain, ("T",)) for here in x]
    found = [f.laplacian("T", 0.5) for f in field]
    values = jnp.polyval(jnp.asarray(coefficients), x)
    np.testing.assert_allclose(found, -0.5 * degree * (degree + 1) * values, atol=1e-11)
    # d/dx[(1 + x^2)(1 - x^2) T'] = (1 + x^2) * [(1 - x^2) T']' + 2 x (1 - x^2) T'
    varied = [f.laplacian("T", Function(spread)) for f in field]
    first = jnp.polyval(jnp.asarray(np.polyder(coefficients)), x)
    expected = -(1 + x**2) * degree * (degree + 1) * values + 2 * x * (1 - x**2) * first
    np.testing.assert_allclose(varied, expected, atol=1e-10)


def test_an_operation_without_a_taylor_rule_is_differentiated_step_by_step(point):
    """The product over an array has none; the conditions of an equation may hold one."""

    def product(p):
        return {"u": jnp.prod(jnp.stack([u(p), jnp.asarray(2.0, p["x"].dtype)]))}

    f = PointField(product, point, BOX, ("u",))
    np.testing.assert_allclose(f("u", x=3), 2.0 * u_derivative(point, x=3), rtol=1e-12)
    with pytest.raises(KeyError, match="mine"):
        PointField(lambda p: {}["mine"], point, BOX, ("u",))("u", x=3)
