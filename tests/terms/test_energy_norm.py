"""The residual in the dual norm against the energy of the error that made it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.equations import Heat, Poisson
from pinnlab.equations.family import Family
from pinnlab.models.operator import OperatorModel
from pinnlab.sampling import GaussianField, TwoPhase
from pinnlab.solvers.classical import Krylov
from pinnlab.solvers.pairs import Pairs
from pinnlab.terms.instances import INPUT, PhysicsTerm

N = 20
GRID = Grid(Poisson().domain, {a: (FiniteDifference(2), N) for a in ("x", "y")})
FAMILY = Family(Poisson(source=1.0), GRID, parameters=("conductivity",))
MEDIA = TwoPhase(GaussianField(sigma=1, tau=3, alpha=2, boundary="neumann"))


class Values(nn.Module):
    """No network: the values on the grid are its parameters."""

    outputs: int = 1

    @nn.compact
    def __call__(self, x):
        return self.param("values", nn.initializers.zeros, (*x.shape[:-1], self.outputs), x.dtype)


def norms(values, conductivity, norm="energy"):
    """The norm of the term's rows for these values inside of the grid."""
    model = OperatorModel(Values(), FAMILY.names, GRID, exact=False)
    term = PhysicsTerm(FAMILY, GRID, None, norm=norm)
    row = {INPUT + "conductivity": conductivity}
    rows = term.row(model, {"params": {"values": values[..., None]}}, FAMILY.equation, row)
    return float(jnp.linalg.norm(rows))


def energy(values):
    """The root of the discrete integral of |grad values|^2."""
    return float(np.sqrt(sum(np.sum(np.diff(values, axis=i) ** 2) for i in (0, 1))))


def test_a_constant_coefficient_gives_the_relative_error_or_that_of_the_gradient():
    """Whatever the wave of the error, whose plain residual grows with its wave number squared."""
    conductivity = jnp.full(GRID.shape, 3.0)
    pairs = Pairs(FAMILY, {"conductivity": MEDIA}, Krylov(n=N, rtol=1e-12), GRID)
    truth = pairs.solve({"conductivity": conductivity[None]})["u"][0]
    assert norms(truth, conductivity) < 1e-10
    assert norms(0.0 * truth, conductivity) == pytest.approx(1.0)
    for wave in (1, 5):
        x, y = (np.asarray(c) for c in GRID.coordinates.values())
        error = 1e-2 * np.sin(wave * np.pi * x) * np.sin(2 * np.pi * y)
        found = norms(truth + jnp.asarray(error), conductivity)
        assert found == pytest.approx(energy(error) / energy(np.asarray(truth)), rel=1e-8)
        found = norms(truth + jnp.asarray(error), conductivity, "solution")
        assert found == pytest.approx(np.linalg.norm(error) / np.linalg.norm(truth), rel=1e-8)


def test_a_varying_coefficient_gives_it_within_its_contrast():
    """For permeabilities of 12 and 3 the two differ by factors between 3 and 12 over their mean."""
    pairs = Pairs(FAMILY, {"conductivity": MEDIA}, Krylov(n=N, rtol=1e-12), GRID)
    values = pairs.sample(jax.random.key(1), 4)
    for conductivity, truth in zip(values["conductivity"], pairs.solve(values)["u"], strict=True):
        noise = np.zeros(GRID.shape)
        noise[1:-1, 1:-1] = 1e-4 * np.random.default_rng(0).standard_normal((N - 2, N - 2))
        ratio = norms(truth + jnp.asarray(noise), conductivity) * energy(np.asarray(truth))
        assert 0.25 < ratio / energy(noise) < 4.0


def test_other_norms_are_refused():
    with pytest.raises(PinnlabError, match=r"unknown norm \(operator.physics.norm\) 'dual'"):
        PhysicsTerm(FAMILY, GRID, None, norm="dual")


def evolving(equation, scheme, noise):
    """What *noise* on any values adds to the rows, and the noise."""
    nodes = {a: scheme[a] for a in ("t", "x")}
    grid = Grid(equation.domain, nodes)
    space = Grid(equation.domain, {"x": nodes["x"]})
    family = Family(equation, space, initial=("u",))
    start = jnp.asarray(np.random.default_rng(0).normal(size=space.shape))
    model = OperatorModel(Values(), family.names, grid, exact=False)
    term = PhysicsTerm(family, grid, None, norm="solution")

    def rows(values):
        params = {"params": {"values": values[..., None]}}
        return term.row(model, params, equation, {INPUT + "u": start})

    still, off = jnp.broadcast_to(start, grid.shape), jnp.asarray(noise(grid))
    return rows(still + off) - rows(still), off


@pytest.mark.parametrize("periodic", [True, False])
def test_in_the_solution_norm_the_residual_of_an_evolution_is_its_error(periodic):
    domain = Domain(t=Axis(0, 1), x=Axis(0, 1, periodic=periodic))
    equation = Heat(domain=domain, diffusivity=0.3)
    x = (Fourier(), 12) if periodic else (FiniteDifference(2), 12)
    random = np.random.default_rng(1)

    def noise(grid):
        """Zero at first and at the walls, as differences of solutions are."""
        values = random.normal(size=grid.shape)
        values[0] = 0.0
        return values if periodic else np.pad(values[:, 1:-1], [(0, 0), (1, 1)])

    found, off = evolving(equation, {"t": (Chebyshev(), 9), "x": x}, noise)
    ratio = found.reshape(off.shape)[1:, 1:-1] / off[1:, 1:-1]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-7)
