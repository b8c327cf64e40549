"""Clouds: who is whose neighbour, and that means over neighbours are integrals."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial import Delaunay

from pinnlab.core import Axis, Domain, PinnlabError
from pinnlab.core.cloud import Recipe, Scattered, stack
from pinnlab.core.makecloud import make_cloud, simplex_weights
from pinnlab.core.neighbours import farthest, linked, table, within

SQUARE = Domain(x=Axis(0, 1), y=Axis(0, 1))
ROUND = Domain(x=Axis(0, 1, periodic=True), y=Axis(0, 1))
FLAT = np.zeros(2)


def points(n, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, 2))


def lattice(n, seed=0):
    """n^2 nodes of the unit square, shaken inside, and triangles."""
    at = np.stack(np.meshgrid(*[np.linspace(0, 1, n)] * 2, indexing="ij"), -1).reshape(-1, 2)
    inside = ((at > 0) & (at < 1)).all(axis=1)
    shaken = np.random.default_rng(seed).uniform(-0.2, 0.2, at.shape) / (n - 1)
    at = at + np.where(inside[:, None], shaken, 0.0)
    return at, Delaunay(at).simplices


@pytest.mark.parametrize("domain", [SQUARE, ROUND])
def test_the_nearest_are_those_of_all_distances(domain):
    """Also round the end of a periodic axis."""
    at = points(40)
    cloud = make_cloud(domain, at, Recipe(neighbours=5, coarse=()))
    way = at[None] - at[:, None]
    if domain is ROUND:
        way[..., 0] -= np.round(way[..., 0])
    wanted = np.argsort((way**2).sum(-1), axis=1)[:, :6]
    np.testing.assert_array_equal(cloud.within.index, wanted)
    taken = np.take_along_axis(way, wanted[..., None], axis=1)
    ratio = np.sqrt((taken**2).mean(axis=(0, 1)).sum())
    np.testing.assert_allclose(cloud.within.offset, taken / ratio, atol=1e-14)


def test_weights_of_simplices_integrate_linear_functions():
    at, faces = lattice(7)
    weights = simplex_weights(at, faces)
    np.testing.assert_allclose(weights.sum(), 1.0)
    np.testing.assert_allclose(weights @ (2 * at[:, 0] - 3 * at[:, 1] + 1), 0.5)
    line = np.array([[0.0], [0.3], [1.0]])
    np.testing.assert_allclose(simplex_weights(line, [[0, 1], [1, 2]]), [0.15, 0.5, 0.35])


RADIUS = 0.3


def smoothed(at, weights):
    """The mean of cos(3x + y) with the kernel (1 - r^2/R^2)^2, at the node nearest to the
    middle."""
    centre = at[np.argmin(((at - 0.5) ** 2).sum(1))][None]
    made = table(within(centre, at, RADIUS, FLAT), centre, at, weights, FLAT, RADIUS)
    kernel = np.maximum(0.0, 1 - (made.offset**2).sum(-1)) ** 2
    values = np.cos(3 * at[:, 0] + at[:, 1])[made.index]
    return float((made.share * kernel * values).sum() / (made.share * kernel).sum()), centre[0]


def quadrature(centre):
    """The same in polar coordinates about *centre*."""
    r, w = np.polynomial.legendre.leggauss(24)
    r, w = RADIUS * (r + 1) / 2, w / 2
    turn = 2 * np.pi * np.arange(48) / 48
    x = centre[0] + r[:, None] * np.cos(turn)
    y = centre[1] + r[:, None] * np.sin(turn)
    share = (w * r * (1 - r**2 / RADIUS**2) ** 2)[:, None] * np.ones(48)
    return float((share * np.cos(3 * x + y)).sum() / share.sum())


def test_a_kernel_integral_converges_with_order_two_on_meshes():
    errors = []
    for n in (13, 25, 49):
        found = []
        for seed in range(4):
            at, faces = lattice(n, seed)
            value, centre = smoothed(at, simplex_weights(at, faces))
            found.append(value - quadrature(centre))
        errors.append(np.sqrt(np.mean(np.square(found))))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert errors[0] < 0.02 and orders.mean() > 1.7, (errors, orders)


def test_a_kernel_integral_over_random_points_is_monte_carlo():
    """Equal weights are right for points drawn evenly; the error falls with the root of n."""
    errors = []
    for n in (250, 4000):
        found = []
        for seed in range(16):
            at = points(n, seed)
            value, centre = smoothed(at, np.full(n, 1.0 / n))
            found.append(value - quadrature(centre))
        errors.append(np.sqrt(np.mean(np.square(found))))
    assert 2.2 < errors[0] / errors[1] < 7.5, errors  # 4 in the limit


def test_the_farthest_points_cover_what_they_separate():
    """No point is farther from those chosen than they are from each other."""
    at = points(300)
    chosen = at[farthest(at, 20, FLAT)]
    apart = np.sqrt(((chosen[None] - chosen[:, None]) ** 2).sum(-1) + 9 * np.eye(20))
    away = np.sqrt(((at[:, None] - chosen[None]) ** 2).sum(-1)).min(axis=1)
    assert away.max() <= apart.min()


def test_levels_keep_means():
    """A constant stays one on every way; cells of a level divide the finer one."""
    cloud = make_cloud(SQUARE, points(100), Recipe(neighbours=6, coarse=(30, 8)))
    sizes = [t.index.shape for level in cloud.levels for t in (level.within, level.down, level.up)]
    assert [n for n, _ in sizes] == [30, 30, 100, 8, 8, 30]
    assert sizes[3] == (8, 8)  # the coarsest hear all of each other
    for level in cloud.levels:
        for own in (level.within, level.down, level.up):
            ones = own.mean(jnp.ones((own.index.size, 1)))
            np.testing.assert_allclose(ones, np.ones((len(own.index), 1)))
    down = cloud.levels[0].down
    heard = down.index[down.share > 0]
    np.testing.assert_array_equal(np.sort(heard), np.arange(100))


def test_edges_in_place_of_distances():
    ring = np.stack([np.arange(5), (np.arange(5) + 1) % 5], axis=1)
    assert linked(5, ring)[0] == [0, 1, 4]
    cloud = make_cloud(SQUARE, points(5), Recipe(coarse=()), edges=ring)
    assert cloud.within.index.shape == (5, 3)
    np.testing.assert_allclose(cloud.within.share, np.full((5, 3), 1 / 3))


def test_a_stack_holds_each_cloud():
    """What fills the shorter one up has no weight, and nobody hears it."""
    recipe = Recipe(radius=0.4, coarse=(6,))
    clouds = [make_cloud(SQUARE, points(n, n), recipe) for n in (20, 26)]
    both = stack(clouds)
    assert both.count == 2 and both.shape == (26,)
    np.testing.assert_array_equal(both.weights[0, 20:], 0)
    for i, own in enumerate(clouds):
        n, values = own.shape[0], jnp.asarray(np.random.default_rng(i).normal(size=(26, 1)))
        wide = both.one(i).within
        found = wide.mean(values[wide.index.reshape(-1)])[:n]
        wanted = own.within.mean(values[own.within.index.reshape(-1)])
        np.testing.assert_allclose(found, wanted, atol=1e-14)


def test_a_scattered_coefficient_is_that_of_the_nearest_node():
    at = np.array([[0.05, 0.5], [0.4, 0.5], [0.8, 0.5]])
    cloud = make_cloud(ROUND, at, Recipe(neighbours=1, coarse=()))
    found = Scattered(cloud, jnp.asarray([1.0, 2.0, 3.0])).at(
        {"x": jnp.asarray([[0.1, 0.45], [0.7, 0.97]]), "y": jnp.asarray(0.2)}
    )
    np.testing.assert_array_equal(found, [[1, 2], [3, 1]])


def test_errors():
    at = points(20)
    for said, make in {
        "beyond the axis": lambda: make_cloud(SQUARE, at * 2),
        r"\(N, 2\) finite": lambda: make_cloud(SQUARE, at[:, :1]),
        "same units": lambda: make_cloud(Domain(x=Axis(0, 1, "m"), y=Axis(0, 1, "km")), at),
        "30 neighbours": lambda: make_cloud(SQUARE, at, Recipe(neighbours=30)),
        "larger one": lambda: make_cloud(SQUARE, at, Recipe(radius=1e-3)),
        "fewer and fewer": lambda: make_cloud(SQUARE, at, Recipe(coarse=(5, 9))),
        "edges of shape": lambda: make_cloud(SQUARE, at, edges=[[0, 20]]),
        "faces of shape": lambda: make_cloud(SQUARE, at, faces=[[0, 1]]),
        "positive weight": lambda: make_cloud(SQUARE, at, faces=[[0, 1, 2]]),
        "one recipe": lambda: stack([make_cloud(SQUARE, points(n)) for n in (20, 40)]),
    }.items():
        with pytest.raises(PinnlabError, match=said):
            make()
