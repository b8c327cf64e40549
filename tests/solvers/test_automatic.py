"""The ladder of the cheapest classical way: right answers, and an honest change."""

import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab import equations
from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.conditions import Initial
from pinnlab.equations.base import equation
from pinnlab.equations.canonical.heat import Heat
from pinnlab.solvers.automatic import climb, ladder
from pinnlab.solvers.classical import Etdrk4, Lines, Placed, Steady
from pinnlab.solvers.etdrk4 import solve_etdrk4
from pinnlab.solvers.gridsolution import started

TIMES = (0.0, 0.5, 1.0)


def on(problem, count=41):
    domain = problem.domain
    made = {a: np.linspace(domain[a].lower, domain[a].upper, count) for a in domain.axes}
    return made | ({"t": np.asarray(TIMES)} if domain.time else {})


def error(problem, found, places):
    mesh = np.meshgrid(*places.values(), indexing="ij")
    right = problem.exact({a: jnp.asarray(m) for a, m in zip(places, mesh, strict=True)})
    return max(
        np.linalg.norm(found[n] - right[n]) / np.linalg.norm(np.asarray(right[n])) for n in right
    )


def test_each_kind_of_equation_has_its_solver():
    kinds = {
        equations.Burgers: Placed,
        equations.KortewegDeVries: Etdrk4,
        equations.Poisson: Steady,
        equations.Swing: Lines,
        equations.Vorticity: Etdrk4,
    }
    for made, kind in kinds.items():
        assert all(isinstance(solver, kind) for solver in ladder(made(), TIMES))
    plane = Heat(domain=Domain(t=Axis(0, 1), x=Axis(0, 1), y=Axis(0, 1)))
    assert all(isinstance(solver, Lines) for solver in ladder(plane, TIMES))


@pytest.mark.parametrize(
    ("problem", "tolerance"),
    [(equations.Burgers(nu=0.02), 1e-6), (Heat(), 1e-7), (equations.Poisson(), 1e-9)],
    ids=["Burgers", "Heat", "Poisson"],
)
def test_the_change_bounds_the_error(problem, tolerance):
    places = on(problem)
    rungs = list(climb(problem, TIMES if problem.domain.time else (), tolerance))
    errors = [error(problem, started(r.solution, problem, places), places) for r in rungs]
    assert errors[-1] < tolerance
    assert max(rungs[-1].change.values()) <= tolerance
    for before, rung in zip(errors, rungs[1:], strict=False):  # what it says of the rung before
        assert max(rung.change.values()) > 0.2 * before or before < 1e-12


def test_a_tolerance_that_is_not_positive_is_refused():
    with pytest.raises(PinnlabError, match="tolerance"):
        next(climb(Heat(), TIMES, 0.0))


@equation
class Kinked(Heat):
    """Heat on a ring from a triangle, whose Fourier series is known."""

    domain: Domain = Domain(t=Axis(0, 1), x=Axis(0, 2 * np.pi, periodic=True))

    def conditions(self):
        return [Initial(u=lambda x: jnp.abs(x["x"] - jnp.pi))]

    def exact(self, x, terms=400):
        k = 2 * np.arange(terms) + 1.0
        decay = np.exp(-self.diffusivity * k**2 * np.asarray(x["t"])[..., None])
        waves = np.cos(k * np.asarray(x["x"])[..., None])
        return {"u": np.pi / 2 + np.sum(4 / np.pi / k**2 * decay * waves, axis=-1)}


def test_initial_values_with_a_kink_do_not_fold_back():
    problem, times = Kinked(), (0.0, 0.5, 1.0)
    solution = solve_etdrk4(problem, 32, times, 200)
    places = {"t": np.asarray(times[1:]), "x": np.linspace(0, 6, 30)}
    mesh = np.meshgrid(*places.values(), indexing="ij")
    right = problem.exact(dict(zip(places, mesh, strict=True)))["u"]
    found, nodes = solution.on(places)["u"], solution.grid.nodes["x"]
    folded = solve_etdrk4(problem, 32, times, 200, initial={"u": jnp.abs(nodes - jnp.pi)})
    apart = np.max(np.abs(folded.on(places)["u"] - right))
    assert np.max(np.abs(found - right)) < 0.03 * apart


def test_the_start_of_time_is_given_not_interpolated():
    problem = Kinked()
    solution = solve_etdrk4(problem, 32, (0.0, 1.0), 200)
    places = {"t": np.asarray([0.0, 1.0]), "x": np.asarray([0.0, 3.1, 3.2])}
    found = started(solution, problem, places)["u"]
    np.testing.assert_allclose(found[0], np.abs(places["x"] - np.pi), atol=1e-15)
    assert np.max(np.abs(solution.on(places)["u"][0] - found[0])) > 1e-3
