"""Every equation: found by name, declared in full, a pytree, and strict about its parameters."""

import dataclasses
import math
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from point_reading import random_points, read

import pinnlab.equations as equations
from pinnlab.core import PinnlabError
from pinnlab.core import units as cf_units

NAMES = list(equations.available())
every = pytest.mark.parametrize("name", NAMES)


def make(name):
    return getattr(equations, name)()


def given(equation):
    """The parameters that have a value; without one the equation's own choice holds."""
    values = {p: getattr(equation, p) for p in equation.parameters()}
    return {p: value for p, value in values.items() if value is not None}


def smooth(equation):
    """A field of every axis and variable without special structure, in SI."""
    domain, variables = equation.domain, equation.variables

    def model(x):
        units = [domain[a].unit_interval(x[a]) for a in domain]
        return {
            n: variables[n].offset
            + variables[n].scale * sum(jnp.sin((1.0 + i + j) * s + i) for j, s in enumerate(units))
            for i, n in enumerate(variables)
        }

    return model


def test_equations_are_found_without_a_registry():
    assert {"Burgers", "KortewegDeVries", "IceAlbedo", "Swing"} <= set(NAMES) <= set(dir(equations))
    assert not any(name.startswith("_") for name in NAMES)
    for name, path in equations.available().items():
        found = getattr(equations, name)
        assert f"{found.__module__}.{found.__qualname__}" == path
        assert issubclass(found, equations.Equation)


def test_unknown_equation_names_what_exists():
    with pytest.raises(AttributeError, match=r"no equation 'Burger'\. There are: .*Burgers, "):
        equations.Burger  # noqa: B018


def test_listing_imports_no_jax():
    code = "import sys, pinnlab.equations as e; e.available(); assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@every
def test_declaration_is_complete_and_consistent(name):
    equation = make(name)
    equation.check()
    doc = type(equation).__doc__ or ""
    assert ".. math::" in doc and "=====" in doc and re.search(r"\b(19|20)\d\d\b", doc)
    for known in equation.parameters().values():
        assert known.long_name
        cf_units.parse(known.units)
    for variable in equation.variables:
        assert equation.variables[variable].name and equation.variables[variable].long_name
    assert all(equation.domain[a].long_name for a in equation.domain)


@every
def test_parameters_refuse_wrong_units_and_values(name):
    kind = getattr(equations, name)
    for parameter, known in kind.parameters().items():
        where = rf"equation\.{parameter}: "
        with pytest.raises(PinnlabError, match=where + r"the unit 'mol' does not convert"):
            kind(**{parameter: "1 mol"})
        with pytest.raises(PinnlabError, match=where + "'much' is not a number"):
            kind(**{parameter: "much"})
        with pytest.raises(PinnlabError, match=where + "expected a number"):
            kind(**{parameter: True})
        lower, upper = known.bounds
        for outside in ([lower - 1 - abs(lower)] if math.isfinite(lower) else []) + (
            [2 * abs(upper) + 1] if math.isfinite(upper) else []
        ):
            with pytest.raises(PinnlabError, match=where + ".* is outside "):
                kind(**{parameter: outside})


def test_parameters_convert_units():
    assert equations.SoilHeat(diffusivity="5e-3 cm2 s-1").diffusivity == pytest.approx(5e-7)
    assert equations.GroundHeat(period="1 d").period == 86400.0
    assert equations.EnergyBalance(start="15 degC").start == pytest.approx(288.15)


@every
def test_equation_is_a_pytree_of_its_parameters(name):
    equation = make(name)
    leaves = jax.tree.leaves(equation)
    assert leaves == list(given(equation).values())
    again = jax.tree.map(lambda leaf: -2.0 * leaf, equation)  # bounds hold for users, not for JAX
    for field in dataclasses.fields(equation):
        factor = -2.0 if field.name in given(equation) else None
        before, after = getattr(equation, field.name), getattr(again, field.name)
        assert after == (factor * before if factor else before)


def test_sweep_maps_over_a_parameter():
    heat = equations.Heat()
    sweep = heat.replace(diffusivity=jnp.asarray([0.1, 0.2, 0.4]))
    x = {"t": jnp.asarray(1.0), "x": jnp.asarray(0.5)}
    ends = jax.vmap(lambda e: e.exact(x)["u"], in_axes=(jax.tree.map(lambda _: 0, heat),))(sweep)
    np.testing.assert_allclose(ends, np.exp(-(np.pi**2) * np.array([0.1, 0.2, 0.4])))


@every
def test_residual_is_differentiable_in_every_parameter(name):
    """The gradient of the residuals' squares against central differences, traced under jit."""
    equation = make(name)
    points, model = random_points(equation.domain, 8), smooth(equation)

    def loss(**leaves):
        rows = equation.replace(**leaves)
        field = read_traced(rows, model, points)
        return sum(jnp.mean((r / equation.residual_scale(n)) ** 2) for n, r in field.items())

    values = {p: jnp.asarray(value) for p, value in given(equation).items()}
    slopes = jax.jit(jax.grad(lambda v: loss(**v)))(values)
    evaluate = jax.jit(lambda v: loss(**v))
    total = evaluate(values)
    for p, value in values.items():
        step = 1e-4 * jnp.maximum(jnp.abs(value), 1e-2 if value == 0 else 0.0)
        up, down = ({**values, p: value + s * step} for s in (1.0, -1.0))
        expected = (evaluate(up) - evaluate(down)) / (2 * step)
        assert abs(slopes[p] - expected) * abs(value) <= 1e-6 * float(total) + 1e-6 * abs(
            expected * value
        )


def read_traced(equation, model, points):
    from pinnlab.core import PointField

    names = equation.variables.names
    return jax.vmap(lambda p: equation.residual(PointField(model, p, equation.domain, names)))(
        points
    )


def test_other_axes_are_refused_by_name():
    with pytest.raises(PinnlabError, match="unknown axis 'z'"):
        make("Heat").domain.updated({"z": {"upper": 1}})
    changed = make("Wave").replace(domain=make("Wave").domain.updated({"t": {"upper": 2}}))
    rows = read(changed, changed.exact, random_points(changed.domain))["u"]
    assert np.max(np.abs(rows)) < 1e-9 * changed.residual_scale("u")
