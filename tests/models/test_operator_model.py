"""OperatorModel: what holds for any parameters, on any grid."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Dirichlet,
    Domain,
    Initial,
    Neumann,
    PinnlabError,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.grid import Chebyshev, FiniteDifference, Fourier, Grid
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.family import Family
from pinnlab.models.operator import OperatorModel
from pinnlab.networks import Fno

RING = Domain(t=Axis(0, 0.5), x=Axis(-1, 1, periodic=True))
NODES = Grid(RING, {"x": (Fourier(), 32)})
SPACE_TIME = Grid(RING, {"t": (Chebyshev(), 7), "x": (Fourier(), 24)})
FNO = Fno(6, 1, 4, transform="dft")


class Zero(nn.Module):
    """Gives zero."""

    outputs: int = 1

    @nn.compact
    def __call__(self, x):
        return jnp.zeros((*x.shape[:-1], self.outputs), x.dtype)


class Channel(nn.Module):
    """Gives the first channel that it is given."""

    outputs: int = 1

    @nn.compact
    def __call__(self, x):
        return jnp.broadcast_to(x[..., :1], (*x.shape[:-1], self.outputs))


@equation
class Insulated(Equation):
    """u_t = k u_xx with a flux at both walls that depends on time and a parameter."""

    k: Coefficient = parameter(1.0, "1")
    g: Coefficient = parameter(0.5, "1")
    domain: Domain = Domain(t=Axis(0, 2), x=Axis(0, 1))
    variables: Variables = Variables(u=Variable("u"), v=Variable("v", scale=2.0))

    def rhs(self, f):
        return {"u": f(self.k) * f("u", x=2), "v": f(self.k) * f("v", x=2)}

    def conditions(self):
        return [
            Initial(u=lambda x: 0.0 * x["x"], v=1.0),
            Neumann("x", "lower", u=self.g),
            Neumann("x", "upper", u=lambda x: self.g * jnp.cos(x["t"])),
            Dirichlet("x", v=lambda x: 1.0 + x["t"]),
        ]


def start(grid, seed=0):
    """A smooth random state on a ring."""
    rng, x = np.random.default_rng(seed), grid.nodes["x"]
    waves = np.arange(1, 4)
    a, b = rng.normal(size=(2, 3))
    angle = np.pi * np.multiply.outer(x, waves)
    return 0.4 + np.cos(angle) @ a + np.sin(angle) @ b


def ring(grid=NODES, **more):
    return Family(Burgers(nu=0.1, domain=RING), grid, ("u",), **more)


def random(model, member, seed=3):
    """Parameters of order one; biases, too."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(model.init, jax.random.key(0), member)
    return jax.tree.map(lambda p: jnp.asarray(0.7 * rng.normal(size=p.shape), p.dtype), shapes)


def on_ring(network=FNO, grid=NODES, **more):
    model = OperatorModel(network, ("u",), grid, **more)
    member = ring().member({"u": start(NODES)})
    return model, member, random(model, member)


# ---------------------------------------------------------------- conditions


def test_initial_values_and_means_hold_at_all_times():
    model, member, params = on_ring(grid=SPACE_TIME)
    u = jax.jit(model.apply)(params, member)["u"]
    x = SPACE_TIME.nodes["x"]
    np.testing.assert_allclose(u[0], start(SPACE_TIME), atol=1e-12)
    assert np.max(np.abs(u[-1] - u[0])) > 0.1
    np.testing.assert_allclose(np.mean(u, axis=1), 0.4, atol=1e-13)
    free = OperatorModel(FNO, ("u",), SPACE_TIME, exact=False).apply(params, member)["u"]
    assert np.max(np.abs(free[0] - start(SPACE_TIME))) > 0.1 and x.size == u.shape[1]


def test_at_the_end_of_time_only_the_mean_is_known():
    model, member, params = on_ring()
    u = model.apply(params, member)["u"]
    free = OperatorModel(FNO, ("u",), NODES, exact=False).apply(params, member)["u"]
    assert float(jnp.mean(u)) == pytest.approx(0.4, abs=1e-13)
    np.testing.assert_allclose(u - free, 0.4 - jnp.mean(free), atol=1e-13)


@pytest.mark.parametrize("scheme", [FiniteDifference(4), Chebyshev()])
@pytest.mark.parametrize("timed", [False, True])
def test_walls_hold_for_random_parameters(scheme, timed):
    """Slopes by the grid's own one-sided stencil; the member's parameter reaches the walls."""
    domain = Insulated().domain
    schemes = {"x": (scheme, 17), **({"t": (FiniteDifference(4), 11)} if timed else {})}
    grid = Grid(domain, schemes)
    family = Family(Insulated(), Grid(domain, {"x": (scheme, 17)}), (), ("k", "g"))
    k = 1.0 + grid.nodes["x"] ** 2
    member = family.member({"k": k, "g": np.asarray(0.8)})
    model = OperatorModel(FNO, ("k", "g"), grid)
    found = jax.jit(model.apply)(random(model, member), member)
    t = grid.nodes["t"] if timed else np.asarray([2.0])
    u, v = (np.asarray(found[name]).reshape(-1, 17) for name in "uv")
    lower, upper = scheme.ends(domain["x"], 17)
    np.testing.assert_allclose(-u @ lower, 0.8, atol=1e-10)
    np.testing.assert_allclose(u @ upper, 0.8 * np.cos(t), atol=1e-10)
    np.testing.assert_allclose(v[:, 0], 1.0 + t, atol=1e-13)
    np.testing.assert_allclose(v[:, -1], 1.0 + t, atol=1e-13)
    assert np.std(u[-1]) > 1e-2 and np.std(v[-1]) > 1e-2
    if timed:
        np.testing.assert_allclose(u[0, 1:-1], 0.0, atol=1e-13)
        np.testing.assert_allclose(v[0], 1.0, atol=1e-13)


def test_an_initial_state_meets_its_walls():
    """Both hold where they agree: sin(pi x) times a positive function."""
    domain = Heat().domain
    inner = Grid(domain, {"x": (FiniteDifference(4), 21)})
    grid = Grid(domain, {"t": (FiniteDifference(4), 10), "x": (FiniteDifference(4), 21)})
    x = inner.nodes["x"]
    state = np.sin(np.pi * x) * (1.0 + x)
    member = Family(Heat(), inner, ("u",)).member({"u": state})
    model = OperatorModel(FNO, ("u",), grid)
    u = model.apply(random(model, member), member)["u"]
    np.testing.assert_allclose(u[0], state, atol=1e-13)
    np.testing.assert_allclose(u[:, [0, -1]], 0.0, atol=1e-13)
    assert np.std(u[-1] - state) > 1e-3


# ---------------------------------------------------------------- scales


def test_the_network_sees_mean_zero_and_deviation_one():
    many = np.stack([3.0 + 5.0 * start(NODES, seed) for seed in range(20)])
    model = OperatorModel(FNO, ("u", "nu"), NODES).scaled(
        {"u": jnp.asarray(many), "nu": jnp.linspace(0.1, 0.3, 20)}, {}
    )
    family = ring(parameters=("nu",))
    nu = np.linspace(0.1, 0.3, 20)
    seen = np.stack(
        [model.channels(family.member({"u": u, "nu": n}), NODES) for u, n in zip(many, nu)]  # noqa: B905
    )
    assert seen.shape == (20, 32, 2)  # an axis that goes round gives no channel
    np.testing.assert_allclose(np.mean(seen, axis=(0, 1)), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.std(seen, axis=(0, 1)), 1.0, atol=1e-12)
    assert np.ptp(seen[3, :, 1]) == 0.0


def test_units_of_inputs_and_solutions_do_not_matter():
    """The same network in other units gives the same in these units."""
    many = jnp.asarray(np.stack([start(NODES, seed) for seed in range(5)]))
    plain = OperatorModel(FNO, ("u",), NODES, exact=False).scaled({"u": many}, {"u": 2.0 * many})
    other = OperatorModel(FNO, ("u",), NODES, exact=False).scaled(
        {"u": 1e3 * many + 273.0}, {"u": 2e-3 * many - 7.0}
    )
    member, shifted = (ring().member({"u": f * many[1] + c}) for f, c in ((1.0, 0.0), (1e3, 273.0)))
    params = random(plain, member)
    one, two = plain.apply(params, member)["u"], other.apply(params, shifted)["u"]
    np.testing.assert_allclose(two, 1e-3 * one - 7.0, rtol=0, atol=1e-12)
    # without samples a variable has the mean and magnitude that it declares
    bare = OperatorModel(Zero(), ("u",), NODES, exact=False)
    assert not np.any(bare.apply({}, member)["u"])


def test_samples_that_do_not_vary_or_are_not_finite():
    model = OperatorModel(Channel(), ("u",), NODES, exact=False)
    same = model.scaled({"u": jnp.full((4, 32), 7.0)}, {})
    member = ring().member({"u": np.full(32, 7.0)})
    np.testing.assert_allclose(same.apply({}, member)["u"], 0.0, atol=1e-13)
    with pytest.raises(PinnlabError, match="not finite"):
        model.scaled({"u": jnp.asarray([[1.0, np.nan]])}, {})


# ---------------------------------------------------------------- steps, grids and shifts


def test_an_increment_of_zero_is_the_identity():
    model, member, _ = on_ring(Zero(), increment=True)
    np.testing.assert_allclose(model.apply({}, member)["u"], start(NODES), atol=1e-13)
    fine = NODES.refined(2)
    np.testing.assert_allclose(model.apply({}, member, fine)["u"], start(fine), atol=1e-12)
    # where time is an axis, initial values are there already
    timed = OperatorModel(Zero(), ("u",), SPACE_TIME, increment=True)
    expected = np.broadcast_to(start(SPACE_TIME), SPACE_TIME.shape)
    np.testing.assert_allclose(timed.apply({}, member)["u"], expected, atol=1e-12)


def test_finer_grids_see_the_same_function():
    """Up to the waves that a pointwise function makes, which fold back on the coarse one."""

    def apart(n):
        grid = NODES.refined(n / 32)
        model, member, params = on_ring(grid=grid)
        coarse = model.apply(params, member)["u"]
        fine = model.apply(params, member, grid.refined(2))["u"]
        return float(jnp.max(jnp.abs(fine[::2] - coarse)))

    errors = [apart(n) for n in (16, 32, 64)]
    assert errors[1] < 0.2 * errors[0] and errors[2] < 0.2 * errors[1] and errors[2] < 1e-3, errors


@pytest.mark.parametrize("increment", [False, True])
def test_shifts_of_the_state_shift_the_solution(increment):
    model, member, params = on_ring(increment=increment)
    u = model.apply(params, member)["u"]
    moved = ring().member({"u": np.roll(start(NODES), 5)})
    np.testing.assert_allclose(model.apply(params, moved)["u"], np.roll(u, 5), atol=1e-12)


def test_axes_with_ends_tell_the_network_where_it_is():
    domain = Heat().domain
    grid = Grid(domain, {"t": (FiniteDifference(4), 10), "x": (Chebyshev(), 9)})
    inner = Grid(domain, {"x": (Chebyshev(), 9)})
    member = Family(Heat(), inner, ("u",)).member({"u": np.sin(np.pi * inner.nodes["x"])})
    seen = OperatorModel(FNO, ("u",), grid).channels(member, grid)
    assert seen.shape == (10, 9, 3)
    np.testing.assert_allclose(seen[..., 1], np.linspace(-1, 1, 10)[:, None] + np.zeros(9))
    np.testing.assert_allclose(seen[..., 2], 2 * inner.nodes["x"][None] - 1 + np.zeros((10, 1)))


def test_a_field_stands_at_the_end_of_time_or_has_it_as_an_axis():
    model, member, params = on_ring()
    field = model.field(params, member)
    assert field.coordinates["t"] == 0.5 and field.shape == (32,)
    whole = model.field(random(OperatorModel(FNO, ("u",), SPACE_TIME), member), member, SPACE_TIME)
    assert whole.coordinates["t"].shape == (7, 1)
    assert whole("u", t=1).shape == (7, 24)


def test_single_precision():
    with jax.enable_x64(False):
        model, member, params = on_ring(grid=SPACE_TIME)
        u = jax.jit(model.apply)(params, member)["u"]
        assert u.dtype == "float32"
        np.testing.assert_allclose(u[0], start(SPACE_TIME), atol=1e-5)
        np.testing.assert_allclose(np.mean(u, axis=1), 0.4, atol=1e-6)


def test_what_does_not_vary_but_for_rounding_is_no_signal():
    with jax.enable_x64(False):
        model = OperatorModel(Channel(), ("nu",), NODES, exact=False)
        scales = model.scaled({"nu": jnp.full((100,), 0.1)}, {}).scales
        assert scales["input nu"][1] == 1.0
