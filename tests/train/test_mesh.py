"""Training on tensor products of points."""

import numpy as np
import optax
import pytest

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.equations.canonical.heat import Heat
from pinnlab.models import Model
from pinnlab.networks import Separable
from pinnlab.optimizers import Gradient
from pinnlab.sampling import Adaptive, Sobol
from pinnlab.terms import Problem, default_terms
from pinnlab.train import Phase, Trainer

ADAM = Gradient(optax.adam(1e-2), chunk=50)


def problem():
    plate = Heat(domain=Domain(t=Axis(0, 1), x=Axis(0, 1), y=Axis(0, 1)))
    model = Model(Separable(rank=4, width=6, depth=1))
    return Problem(plate, model, default_terms(plate, model))


def test_a_plate_is_trained_on_meshes_that_are_drawn_anew():
    """A thousand points are ten along each axis."""
    plate = problem()
    done = Trainer([Phase(ADAM, 300, 1000, Sobol(), resample=50)]).fit(plate)
    x = np.random.default_rng(0).uniform(size=(3, 200))
    points = dict(zip("txy", x, strict=True))
    found = plate.model.evaluate(done.params["network"], plate.equation, points)["u"]
    expected = np.asarray(plate.equation.exact(points)["u"])
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)
    assert done.history[-1]["fresh_loss"] < 0.3 * done.history[0]["fresh_loss"]


def test_points_cannot_be_chosen_one_by_one():
    with pytest.raises(PinnlabError, match=r"sampler: Adaptive.*Separable.*sampler=sobol"):
        Trainer([Phase(ADAM, 1, 27, Adaptive())]).fit(problem())
