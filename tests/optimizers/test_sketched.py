"""Sketched Gauss-Newton: exact where the sketch is large, downhill and within its radius always."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from objectives import Rows, linear, rosenbrock, run

from pinnlab.core import PinnlabError
from pinnlab.equations.canonical.heat import Heat
from pinnlab.models import Model
from pinnlab.networks import MLP
from pinnlab.optimizers import SketchedGaussNewton
from pinnlab.optimizers.sketched import at_radii, by_points, by_products, chosen, right_singular
from pinnlab.optimizers.sketches import Buckets, groups, sketches
from pinnlab.terms import Problem, default_terms


@pytest.fixture
def strict():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("size, parameters", [(4, 12), (5, 13), (12, 12), (20, 7)])
def test_groups_are_orthonormal_and_both_maps_are_transposed(size, parameters):
    basis = groups(jax.random.key(3), jnp.zeros(parameters), size)
    assert basis.size == min(size, parameters)
    wide = jax.vmap(basis.widen)(jnp.eye(basis.size)).T
    np.testing.assert_allclose(wide.T @ wide, np.eye(basis.size), atol=1e-14)
    assert np.all(np.count_nonzero(wide, axis=1) == 1)  # each parameter in one group
    rows = normal(6, parameters)
    np.testing.assert_allclose(basis.narrow(rows), rows @ wide, atol=1e-13)


def sketch_of(rows, drawn, sizes):
    """S as a matrix, on rows that stand in the order of terms, points and components."""
    matrix, offset = np.zeros((rows, sum(n * k for n, k in sizes))), 0
    for (points, signs, places), (n, k) in zip(drawn, sizes, strict=True):
        for bucket, sign, place in zip(points, signs, places, strict=True):
            for point, own in zip(bucket, sign, strict=True):
                matrix[place, offset + point * k + np.arange(k)] += own
        offset += n * k
    return matrix


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("hashes", [1, 3])
def test_the_row_sketch_adds_each_row_and_keeps_squares_on_average(hashes):
    sizes, v = [(17, 2), (3, 1)], normal(37)
    draw = jax.jit(lambda key: sketches(key, sizes, 8, hashes, v.dtype)[1])
    squares = []
    for seed in range(300):
        drawn = [Buckets(*map(np.asarray, own)) for own in draw(jax.random.key(seed))]
        matrix = sketch_of(8, drawn, sizes)
        assert np.all(np.count_nonzero(matrix, axis=0) <= hashes)
        squares.append(np.sum((matrix @ v) ** 2))
    assert np.mean(squares) == pytest.approx(float(v @ v), rel=0.1)
    np.testing.assert_allclose(np.sum(np.abs(matrix), axis=0).max(), hashes**0.5, rtol=1e-12)


@pytest.mark.usefixtures("strict")
def test_rows_are_not_added_where_there_is_room():
    sizes = [(5, 2), (3, 1)]
    rows, drawn = sketches(jax.random.key(0), sizes, 13, 4, jnp.zeros(()).dtype)
    np.testing.assert_array_equal(sketch_of(rows, drawn, sizes), np.eye(13))


@pytest.mark.usefixtures("strict")
def test_steps_have_the_lengths_asked_for_and_minimise_there():
    """Each is (A'A + lambda)^-1 times the slope; beyond the Newton step nothing grows."""
    matrix, slope = normal(30, 6), normal(6, seed=1)
    values, axes = right_singular(matrix)
    newton = np.linalg.solve(matrix.T @ matrix, -slope)
    full = float(np.linalg.norm(newton))
    radii = full * jnp.asarray([1e-3, 0.1, 0.9, 1.5, 10.0])
    steps = at_radii(values, axes @ slope, radii) @ axes
    lengths = np.linalg.norm(steps, axis=1)
    np.testing.assert_allclose(lengths, full * np.asarray([1e-3, 0.1, 0.9, 1.0, 1.0]), rtol=1e-9)
    np.testing.assert_allclose(steps[3:], np.stack([newton, newton]), rtol=1e-9)
    left = -slope[None] - steps[:3] @ (matrix.T @ matrix)  # lambda times the step
    level = np.sum(left * steps[:3], axis=1) / lengths[:3] ** 2
    assert np.all(level > 0) and np.all(np.diff(level) < 0)
    np.testing.assert_allclose(left, level[:, None] * steps[:3], rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize(
    "trial, expected",
    [
        ([0.9, 0.5, 0.8, 2.0], (2, True)),  # the last that keeps its promise, not the least
        ([2.0, 0.98, np.nan, np.inf], (1, True)),  # too little kept, but lower
        ([1.0, 1.5, 2.0, np.nan], (0, False)),
        ([np.nan] * 4, (0, False)),
    ],
)
def test_the_choice_among_radii(trial, expected):
    choice, good = chosen(jnp.asarray(1.0), jnp.asarray(trial), jnp.asarray([0.1, 0.6, 0.8, 0.9]))
    assert (int(choice), bool(good)) == expected


@pytest.mark.usefixtures("strict")
def test_linear_least_squares_with_a_sketch_larger_than_the_parameters():
    """Many more rows than buckets, and a residual that stays: the minimum is that of all rows."""
    a, b, objective = linear(600, 20)
    method = SketchedGaussNewton(directions=30, rows=200, radius=1.0)
    end, _, losses = run(method, objective, jnp.zeros(20), 25)
    np.testing.assert_allclose(end, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-7)
    assert np.max(np.diff(losses)) <= 1e-13 * losses[0]


@pytest.mark.usefixtures("strict")
def test_a_small_sketch_of_a_low_rank_never_climbs_and_ends_at_the_least():
    a = normal(100, 5) @ normal(5, 40, seed=1)
    b = normal(100, seed=2)
    method = SketchedGaussNewton(directions=10, rows=40, hashes=1)
    _, _, losses = run(method, Rows(lambda x: a @ x - b), jnp.zeros(40), 30)
    least = float(np.sum((a @ np.linalg.lstsq(a, b, rcond=1e-10)[0] - b) ** 2))
    assert np.max(np.diff(losses)) <= 1e-13 * losses[0]
    assert losses[0] - least > 1.0
    assert losses[-1] == pytest.approx(least, abs=1e-8)


def test_rosenbrock_and_the_length_of_each_step():
    method, objective = SketchedGaussNewton(radii=6, spread=2.0), Rows(rosenbrock)
    step = jax.jit(lambda p, s: method.step(objective, p, s, None, None))
    params = jnp.asarray([-1.2, 1.0])
    state, losses = method.init(params), []
    assert float(state["radius"]) == pytest.approx(0.1 * np.hypot(1.2, 1.0))
    for _ in range(40):
        new, after, loss = step(params, state)
        moved, radius = float(jnp.linalg.norm(new - params)), float(state["radius"])
        assert moved <= 2.0 * radius * (1 + 1e-9)
        assert float(after["radius"]) == pytest.approx(moved if moved else radius / 2, rel=1e-6)
        params, state = new, after
        losses.append(float(loss))
        if loss < 1e-20:
            break
    np.testing.assert_allclose(params, [1.0, 1.0], atol=1e-9)
    assert np.max(np.diff(losses)) <= 1e-13 * losses[0]


def problem():
    """Rows of three terms with different numbers of points, one of them weighed by points."""
    eq, model = Heat(), Model(MLP(4, 2), exact=False)
    made = Problem(eq, model, default_terms(eq, model))
    params, batch = made.init(jax.random.key(0)), {}
    for i, (name, term) in enumerate(made.by_name.items()):
        unit = jax.random.uniform(jax.random.key(i), (13 - 3 * i, term.dims))
        batch[name] = term.place(unit)
    batch["residual"]["_weight"] = jnp.linspace(0.5, 1.5, 13)
    return made, params, batch, {n: jnp.asarray(1.0 + i) for i, n in enumerate(batch)}


@pytest.mark.parametrize("size", [8, 100])
def test_gradients_of_sums_and_products_give_the_system_of_the_jacobian(size):
    made, params, batch, weights = problem()
    flat = jax.flatten_util.ravel_pytree(params)[0]
    rows, jacobian = jax.jit(lambda p: made.jacobian(p, batch, weights))(params)
    basis, at = groups(jax.random.key(1), flat, 6), (batch, weights)
    sizes = [(len(columns["x"]), 1) for columns in batch.values()]
    for system, given in ((by_points, sizes), (by_products, [(rows.size, 1)])):
        kept, drawn = sketches(jax.random.key(2), given, size, 2, flat.dtype)
        found = jax.jit(lambda p, s=system, k=kept, d=drawn: s(made, p, *at, basis, k, d))(params)
        expected = (
            rows @ rows,
            basis.narrow((rows @ jacobian)[None])[0],
            sketch_of(kept, drawn, given) @ basis.narrow(jacobian),
        )
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_a_state_that_was_stored_gives_the_same_next_step_from_new_sketches():
    _, _, objective = linear(40, 12)
    method = SketchedGaussNewton(directions=4, rows=10)
    params, state, _ = run(method, objective, jnp.zeros(12), 3)
    step = jax.jit(lambda p, s: method.step(objective, p, s, None, None))
    kept = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf).copy()), state)
    first, second = step(params, state), step(params, kept)
    assert all(map(np.array_equal, jax.tree.leaves(first), jax.tree.leaves(second)))
    other = step(params, {**state, "count": state["count"] + 1})
    assert not np.allclose(other[0], first[0])


@pytest.mark.parametrize("dtype, least", [("float64", 1e-7), ("float32", 1e-6)])
def test_a_small_network_learns_a_sine(dtype, least):
    x = jnp.linspace(-1.0, 1.0, 64, dtype=dtype)
    network = MLP(10, 2)
    params = network.init(jax.random.key(0), x[:1])
    target = jnp.sin(jnp.pi * x)

    def rows(params):
        return (jax.vmap(lambda one: network.apply(params, one[None])[0])(x) - target) / 8.0

    method = SketchedGaussNewton(directions=40, rows=48)
    end, state, losses = run(method, Rows(rows), params, 80)
    assert losses[0] > 0.1 and losses[-1] < least
    assert all(leaf.dtype == dtype for leaf in (*jax.tree.leaves(end), state["radius"]))


def test_a_trial_that_is_not_finite_is_not_taken():
    """Radii from 30 on log x lead below zero, until they have shrunk."""
    method, objective = SketchedGaussNewton(radius=100.0), Rows(lambda x: jnp.log(x))
    start = jnp.asarray([30.0])
    once, state, _ = run(method, objective, start, 1)
    np.testing.assert_array_equal(once, start)
    assert float(state["radius"]) == pytest.approx(1000.0)
    end, state, losses = run(method, objective, start, 40)
    np.testing.assert_allclose(end, 1.0, rtol=1e-8)
    assert np.isfinite(losses).all() and np.isfinite(state["radius"])


def test_the_memory_is_that_of_no_jacobian_and_what_the_program_holds():
    made, params, _, _ = problem()
    made = Problem(made.equation, Model(MLP(30, 2)), made.terms[:1])
    params = made.init(jax.random.key(0))
    flat = jax.flatten_util.ravel_pytree(params)[0]
    unit = jax.random.uniform(jax.random.key(0), (3000, 2))
    batch, weights = {"residual": made.terms[0].place(unit)}, {"residual": jnp.ones(())}
    method = SketchedGaussNewton(directions=300, rows=900)

    def step(params, state):
        return method.step(made, params, state, batch, weights)

    found = jax.jit(step).lower(params, method.init(params)).compile().memory_analysis()
    used = found.temp_size_in_bytes + found.output_size_in_bytes
    assert used / 2.5 < method.memory(3000, flat.size, 8) < 2.5 * used
    large = method.memory(10**5, 10**4, 8)
    assert large < 2e8 < 8 * 10**9  # the Jacobian


@pytest.mark.parametrize(
    "wrong", [*({name: 0} for name in ("directions", "rows", "hashes", "radii"))]
)
def test_sizes_below_one(wrong):
    with pytest.raises(PinnlabError, match=rf"optimizer\.{next(iter(wrong))}: 0 must be at least"):
        SketchedGaussNewton(**wrong)


@pytest.mark.parametrize("wrong", [{"spread": 1.0}, {"radius": 0.0}])
def test_settings_of_the_radius(wrong):
    with pytest.raises(PinnlabError, match="spread must be above 1 and radius above 0"):
        SketchedGaussNewton(**wrong)
