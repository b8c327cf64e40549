"""``pinnlab.solve`` to an answer, stored and read again; a parameter found with its interval."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import pinnlab
from pinnlab.core import PinnlabError, Profile, Variable, Variables
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.energy.soil_heat import SoilHeat
from pinnlab.models import Model, NetworkReading
from pinnlab.models.storage import load_reading, save_reading
from pinnlab.networks import MLP, FourierFeatures
from pinnlab.optimizers import LevenbergMarquardt
from pinnlab.run.interval import intervals
from pinnlab.sampling import Sobol
from pinnlab.terms import Problem, default_terms
from pinnlab.train import Fixed, Phase, Trainer

SHORT = Trainer([Phase(LevenbergMarquardt(), 50, 200, Sobol(), 25)])


@pytest.fixture(scope="module")
def heat():
    return pinnlab.solve(Heat(), network=MLP(12, 2), trainer=SHORT)


def test_a_solution_is_asked_anywhere(heat):
    x = np.linspace(0, 1, 7)
    line = heat("u", t=0.5, x=x)
    assert line.shape == (7,) and heat("u", t=0.5, x=0.5).shape == ()
    grid = heat("u", t=np.array([0.0, 0.5])[:, None], x=x)
    assert grid.shape == (2, 7)
    np.testing.assert_allclose(grid[1], line, rtol=1e-12)
    np.testing.assert_allclose(grid, heat.reading.on({"t": [0.0, 0.5], "x": x})["u"], rtol=1e-12)
    np.testing.assert_allclose(line, np.sin(np.pi * x) * np.exp(-0.05 * np.pi**2), atol=1e-4)
    np.testing.assert_allclose(grid[0], np.sin(np.pi * x), atol=1e-13)  # exact at the start
    with pytest.raises(PinnlabError, match="give every axis, t, x; got x"):
        heat("u", x=x)
    with pytest.raises(PinnlabError, match="variable 'v'"):
        heat("v", t=0.0, x=x)


def test_functions_of_the_field(heat):
    x = np.linspace(0, 1, 7)
    flux = heat(lambda f: -0.1 * f("u", x=1), t=0.5, x=x)
    expected = -0.1 * np.pi * np.cos(np.pi * x) * np.exp(-0.05 * np.pi**2)
    np.testing.assert_allclose(flux, expected, atol=2e-3)
    residual = heat.reading.residual("u", t=0.5, x=x)
    by_hand = heat(lambda f: f("u", t=1) - 0.1 * f("u", x=2), t=0.5, x=x)
    np.testing.assert_allclose(np.abs(residual), np.abs(by_hand) * 0.5, rtol=1e-6, atol=1e-12)


def test_a_dataset_of_a_solution(heat):
    made = heat.to_dataset(t=5, x=9)
    assert dict(made.sizes)["x"] == 9 and "temperature" in made
    values = made["temperature"].sel(x=0.5).values
    np.testing.assert_allclose(values, heat("u", t=np.linspace(0, 1, 5), x=0.5), rtol=1e-6)


def test_a_solution_is_saved_and_loaded(heat, tmp_path):
    heat.save(tmp_path / "solution.safetensors")
    for path in (tmp_path, tmp_path / "solution.safetensors"):
        back = pinnlab.load(path)
        x = np.linspace(0, 1, 7)
        np.testing.assert_array_equal(back("u", t=0.3, x=x), heat("u", t=0.3, x=x))
    assert back.facts == heat.facts and back.facts["steps"] == 50
    with pytest.raises(PinnlabError, match="there is no solution file"):
        pinnlab.load(tmp_path / "none")


# ---------------------------------------------------------------- storage

CHANGED = SoilHeat().domain.updated({"t": {"upper": "3 d"}, "depth": {"lower": 0.05}})
STORED = {
    "MLP": (Heat(), Model(MLP(4, 2, "sin", factorized=True)), (), 1),
    "Fourier": (Heat(), Model(FourierFeatures(MLP(4, 1), 8, 3.0, seed=5), exact=False), (), 1),
    "seeds": (Heat(diffusivity=0.2), Model(MLP(4, 1)), ("diffusivity",), 3),
    "profile": (
        SoilHeat(
            diffusivity=Profile("depth", (0.05, 0.2), (3e-7, 6e-7), logarithmic=True),
            domain=CHANGED,
            variables=Variables(T=Variable("ground temperature", "K", scale=7.0, offset=280.0)),
        ),
        Model(MLP(4, 1), periods={"t": (86400.0,)}, stretch={"depth": 2.0}),
        ("diffusivity",),
        2,
    ),
}


def untrained(name):
    eq, model, learned, seeds = STORED[name]
    problem = Problem(eq, model, default_terms(eq, model), learned)
    with jax.enable_x64(True):
        keys = jax.vmap(jax.random.key)(jnp.arange(seeds))
        params = jax.vmap(problem.init)(keys) if seeds > 1 else problem.init(keys[0])
    return NetworkReading(eq, model, params, seeds)


@pytest.mark.parametrize("name", STORED)
def test_a_stored_model_answers_the_same(name, tmp_path):
    made, path = untrained(name), tmp_path / "one"
    save_reading(made, path, {"note": "kept"})
    back, extra = load_reading(path)
    assert extra == {"note": "kept"} and back.seeds == made.seeds
    assert back.equation.domain == made.equation.domain
    assert back.equation.variables == made.equation.variables
    variable = made.equation.variables.names[0]
    points = {
        a: np.linspace(made.equation.domain[a].lower, made.equation.domain[a].upper, 5)
        for a in made.equation.domain
    }
    found, expected = (r.members(variable, **points) for r in (back, made))
    assert found.shape == (made.seeds, 5) and np.isfinite(found).all()
    np.testing.assert_array_equal(found, expected)
    for learned in made.params["equation"]:
        pair = (jax.tree.leaves(r.parameter(learned)) for r in (back, made))
        jax.tree.map(np.testing.assert_array_equal, *pair)


def rewritten(path, change):
    """The file at *path* with its description changed."""
    with safe_open(path, framework="numpy") as stream:
        arrays = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        text = stream.metadata()["pinnlab"]
    save_file(arrays, path, metadata={"pinnlab": change(text)})


def test_what_cannot_be_loaded_says_why(tmp_path):
    path = tmp_path / "one"
    save_reading(untrained("MLP"), path, {})
    address = "pinnlab.equations.canonical.heat:Heat"
    assert b"pickle" not in path.read_bytes()
    rewritten(path, lambda text: text.replace(address, "my_equations:Warmth"))
    with pytest.raises(PinnlabError, match="needs 'Warmth' of the module 'my_equations'"):
        load_reading(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(PinnlabError, match="is no solution file"):
        load_reading(path)


def test_a_file_cannot_make_loading_call_a_function(tmp_path):
    path, trace = tmp_path / "one", tmp_path / "trace"
    save_reading(untrained("MLP"), path, {})

    def call(text):
        described = json.loads(text)
        described["reading"]["fields"]["equation"] = {
            "class": "os:mkdir",
            "fields": {"path": str(trace)},
        }
        return json.dumps(described)

    rewritten(path, call)
    with pytest.raises(PinnlabError, match="'os:mkdir'"):
        load_reading(path)
    assert not trace.exists()


def test_what_has_no_name_is_not_saved(tmp_path):
    eq = Heat().replace(diffusivity=pinnlab.Function(lambda p, x: x["x"]))
    reading = NetworkReading(eq, Model(MLP(3, 1)), {"network": {}, "equation": {}})
    with pytest.raises(PinnlabError, match=r"equation\.diffusivity.*top level of a module"):
        save_reading(reading, tmp_path / "one", {})
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- inverse


def test_a_diffusivity_is_found_from_exact_observations_and_its_interval_covers_it():
    truth, eq = 0.1, Heat(diffusivity=0.3)
    random = np.random.default_rng(0)
    points = {a: random.uniform(0, 1, 60) for a in ("t", "x")}
    clean = np.asarray(Heat(diffusivity=truth).exact(points)["u"])
    model = Model(MLP(10, 2))
    # The equation holds, so that its residual weighs much more than noisy data.
    weights = Fixed({"residual": 1e5})
    trainer = Trainer([Phase(LevenbergMarquardt(), 100, 150, Sobol(), 50)], weights=weights)
    for noise in (0.0, 0.01):
        values = clean + noise * random.normal(size=60)
        seen = pinnlab.Observations("u", points, values, max(noise, 1e-3))
        problem = Problem(eq, model, default_terms(eq, model, [seen]), ["diffusivity"])
        with pinnlab.precision("float64"):
            done = trainer.fit(problem)
            value, lower, upper = intervals(problem, trainer, done.params)["diffusivity"]
        if noise:
            assert lower < truth < upper
            # The exact solution fitted to the 60 values knows it to noise / |du/dkappa|.
            slope = np.linalg.norm(np.pi**2 * points["t"] * clean)
            assert 0.5 < (upper - lower) / (2 * 1.96 * noise / slope) < 2.0
        else:
            assert float(value) == pytest.approx(truth, rel=1e-4)


def test_importing_changes_no_setting():
    code = "import jax, pinnlab; pinnlab.solve; print(jax.config.jax_enable_x64)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
