"""Reading equations at random points, for the tests beside this file."""

import jax
import jax.numpy as jnp
import numpy as np

from pinnlab.core import PointField


def random_points(domain, count=64, seed=0):
    """(count,) coordinates of each axis, uniform inside *domain*."""
    random = np.random.default_rng(seed)
    return {a: jnp.asarray(random.uniform(domain[a].lower, domain[a].upper, count)) for a in domain}


def read(equation, model, points, what="residual"):
    """The residual (or ``rhs``) of *model* in SI at (N,) points, by automatic differentiation."""

    def at(point):
        return getattr(equation, what)(
            PointField(model, point, equation.domain, equation.variables.names, equation.slots())
        )

    return {name: np.asarray(value) for name, value in jax.jit(jax.vmap(at))(points).items()}


def derivative(model, name, point, axis, order=1):
    """A derivative of one variable of *model* along *axis* at a point."""

    def along(s):
        return jnp.asarray(model({**point, axis: s})[name])

    for _ in range(order):
        along = jax.grad(along)
    return along(point[axis])
