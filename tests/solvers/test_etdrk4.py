"""ETDRK4 against exact solutions, its own order, exponax, and what it must refuse."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnlab.core import (
    Axis,
    Coefficient,
    Domain,
    Function,
    Initial,
    PinnlabError,
    Profile,
    Variable,
    Variables,
    parameter,
)
from pinnlab.core.errors import DivergenceError
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.canonical.advection import Advection
from pinnlab.equations.canonical.allen_cahn import AllenCahn
from pinnlab.equations.canonical.burgers import Burgers
from pinnlab.equations.canonical.heat import Heat
from pinnlab.equations.canonical.korteweg_de_vries import KortewegDeVries
from pinnlab.equations.canonical.kuramoto_sivashinsky import KuramotoSivashinsky
from pinnlab.equations.canonical.vorticity import Vorticity
from pinnlab.equations.canonical.wave import Wave
from pinnlab.solvers.etdrk4 import etdrk4, solve_etdrk4
from pinnlab.solvers.split import split


def box(lower, upper, *axes, end=1.0):
    return Domain(t=Axis(0, end), **{a: Axis(lower, upper, periodic=True) for a in axes})


@equation
class PeriodicBurgers(Burgers):
    domain: Domain = box(-1, 1, "x")

    def conditions(self):
        return [Initial(u=lambda x: -jnp.sin(jnp.pi * x["x"]))]


@equation
class Soliton(KortewegDeVries):
    """One soliton, 3 c sech^2(sqrt(c) (x - c t) / 2 mu) with c = mu = 1."""

    mu: Coefficient = parameter(1.0, "1")
    domain: Domain = box(-30, 30, "x")

    def conditions(self):
        return [Initial(u=lambda x: self.exact({"t": 0.0, **x})["u"])]

    def exact(self, x):
        return {"u": 3.0 / jnp.cosh(0.5 * (x["x"] - x["t"])) ** 2}


def chaos(domain):
    """Kuramoto-Sivashinsky with all coefficients one."""
    return KuramotoSivashinsky(alpha=1.0, beta=1.0, gamma=1.0, domain=domain)


@equation
class SmoothAllenCahn(AllenCahn):
    def conditions(self):
        return [Initial(u=lambda x: 0.8 * jnp.sin(jnp.pi * x["x"]) + 0.1)]


@equation
class Reaction(Equation):
    """u_t = rate(u), uniform in space."""

    rate: Coefficient = parameter(None, "1")
    domain: Domain = box(0, 1, "x")
    variables: Variables = Variables(u=Variable("amount"))

    def rhs(self, f):
        return {"u": self.rate.apply(None, {"u": f("u")})}

    def conditions(self):
        return [Initial(u=lambda x: 1.0)]


@equation
class Rossby(Equation):
    """w_t = beta psi_x, laplacian(psi) = -w: waves on a beta plane."""

    beta: Coefficient = parameter(3.0, "1")
    domain: Domain = box(0, 2 * math.pi, "x", "y")
    variables: Variables = Variables(w=Variable("vorticity"), psi=Variable("psi", order=0))

    def rhs(self, f):
        return {"w": f(self.beta) * f("psi", x=1), "psi": f.laplacian("psi") + f("w")}

    def conditions(self):
        return [Initial(w=lambda x: jnp.cos(2 * x["x"] + x["y"]))]


@equation
class Rotation(Equation):
    """u_t = nu u_xx + s v, v_t = nu v_xx - s u: decay while turning."""

    s: Coefficient = parameter(2.0, "1")
    nu: Coefficient = parameter(0.1, "1")
    domain: Domain = box(0, 2 * math.pi, "x")
    variables: Variables = Variables(u=Variable("u"), v=Variable("v"))

    def rhs(self, f):
        return {
            "u": f(self.nu) * f("u", x=2) + f(self.s) * f("v"),
            "v": f(self.nu) * f("v", x=2) - f(self.s) * f("u"),
        }

    def conditions(self):
        return [Initial(u=lambda x: jnp.cos(x["x"]), v=lambda x: 0.0 * x["x"])]


def end_state(problem, n, steps, name="u"):
    end = problem.domain["t"].upper
    return solve_etdrk4(problem, n, [end], steps).values[name][0]


def exact_end(problem, n, name="u"):
    solution = solve_etdrk4(problem, n, [problem.domain["t"].upper], 1)
    x = {**solution.grid.coordinates, "t": problem.domain["t"].upper}
    return np.asarray(problem.exact(x)[name])


def fourth_order(errors):
    orders = np.log2(errors[:-1] / np.asarray(errors[1:]))
    return np.all(np.abs(orders - 4.0) < 0.35), orders


def test_order_on_korteweg_de_vries_soliton_with_imaginary_symbol():
    problem = Soliton()
    exact = exact_end(problem, 256)
    errors = [np.max(np.abs(end_state(problem, 256, s) - exact)) for s in (20, 40, 80)]
    good, orders = fourth_order(errors)
    assert good, (orders, errors)
    assert errors[-1] < 1e-6


def test_order_on_burgers_against_cole_hopf():
    problem = PeriodicBurgers(nu=0.1)
    exact = exact_end(problem, 128)
    errors = [np.max(np.abs(end_state(problem, 128, s) - exact)) for s in (10, 20, 40)]
    good, orders = fourth_order(errors)
    assert good, (orders, errors)
    assert np.max(np.abs(end_state(problem, 128, 1000) - exact)) < 1e-11


@pytest.mark.parametrize(
    ("problem", "n", "steps"),
    [
        (chaos(box(0, 8 * np.pi, "x", end=5.0)), 64, (400, 800, 1600)),
        (SmoothAllenCahn(d=1e-2), 64, (32, 64, 128)),
    ],
    ids=["Kuramoto-Sivashinsky", "Allen-Cahn"],
)
def test_order_against_finer_steps(problem, n, steps):
    fine = end_state(problem, n, 8 * steps[-1])
    errors = [np.max(np.abs(end_state(problem, n, s) - fine)) for s in steps]
    good, orders = fourth_order(errors)
    assert good, (orders, errors)


def test_taylor_green_vortex_is_exact():
    problem = Vorticity(nu=0.05)
    solution = solve_etdrk4(problem, {"x": 16, "y": 24}, [0.0, 0.5, 1.0], 20)
    x = {"t": np.array([0.0, 0.5, 1.0]).reshape(3, 1, 1)}
    x |= {a: c[None] for a, c in solution.grid.coordinates.items()}
    for name, value in problem.exact(x).items():
        np.testing.assert_allclose(solution.values[name], value, atol=1e-13)


def manufactured(x):
    """A flow whose advection does not vanish: psi, w = -laplacian(psi)."""
    one, two = jnp.sin(x["x"]) * jnp.cos(2 * x["y"]), jnp.cos(3 * x["x"] + x["y"])
    a, b = jnp.cos(x["t"]), 0.3 * jnp.sin(x["t"])
    return a * one + b * two, 5 * a * one + 10 * b * two


def forcing(nu, x):
    """w_t + psi_y w_x - psi_x w_y - nu laplacian(w) of the manufactured flow, by hand."""
    sx, cx, sy, cy = (g(k * x[a]) for a, k in (("x", 1), ("y", 2)) for g in (jnp.sin, jnp.cos))
    a, b = jnp.cos(x["t"]), 0.3 * jnp.sin(x["t"])
    at, bt = -jnp.sin(x["t"]), 0.3 * jnp.cos(x["t"])
    two, turned = jnp.cos(3 * x["x"] + x["y"]), jnp.sin(3 * x["x"] + x["y"])
    psi_x, psi_y = a * cx * cy - 3 * b * turned, -2 * a * sx * sy - b * turned
    w_x, w_y = 5 * a * cx * cy - 30 * b * turned, -10 * a * sx * sy - 10 * b * turned
    rate = 5 * at * sx * cy + 10 * bt * two
    return rate + psi_y * w_x - psi_x * w_y + nu * (25 * a * sx * cy + 100 * b * two)


@equation
class ForcedVorticity(Vorticity):
    force: Coefficient = parameter(None, "1")

    def rhs(self, f):
        sides = super().rhs(f)
        return {**sides, "w": sides["w"] + f(self.force)}

    def conditions(self):
        return [Initial(w=lambda x: manufactured({**x, "t": jnp.zeros(())})[1])]


def test_vorticity_under_a_force_that_depends_on_time():
    problem = ForcedVorticity(nu=0.02, force=Function(forcing, jnp.asarray(0.02)))
    errors = []
    for steps in (10, 20):
        solution = solve_etdrk4(problem, 24, [1.0], steps)
        psi, w = manufactured({**solution.grid.coordinates, "t": jnp.ones(())})
        errors.append(np.max(np.abs(solution.values["w"][0] - w)))
        assert np.max(np.abs(solution.values["psi"][0] - psi)) < errors[-1]
    assert errors[0] < 1e-3 and 12 < errors[0] / errors[1] < 20, errors


def test_rossby_wave_takes_one_step_of_any_length():
    problem = Rossby(domain=box(0, 2 * math.pi, "x", "y", end=50.0))
    solution = solve_etdrk4(problem, 16, [50.0], 1)
    x = solution.grid.coordinates
    wave = np.cos(2 * x["x"] + x["y"] + 3.0 * 2 / 5 * 50.0)
    np.testing.assert_allclose(solution.values["w"][0], wave, atol=1e-12)
    assert solution.statistics["steps"] == 1


def test_coupled_variables_turn_and_decay():
    solution = solve_etdrk4(Rotation(), 16, [1.0], 100)
    x = solution.grid.coordinates["x"]
    decay = np.exp(-0.1)
    np.testing.assert_allclose(solution.values["u"][0], decay * np.cos(2) * np.cos(x), atol=1e-8)
    np.testing.assert_allclose(solution.values["v"][0], -decay * np.sin(2) * np.cos(x), atol=1e-8)


@pytest.mark.parametrize("n", [15, 16])
def test_three_dimensional_heat_in_one_step(n):
    problem = Heat(diffusivity=0.05, domain=box(0, 1, "x", "y", "z"))
    exact = exact_end(problem, n)
    np.testing.assert_allclose(end_state(problem, n, 1), exact, atol=1e-14)


def test_a_full_turn_brings_every_mode_back_but_nyquist_stays_real():
    problem = Advection(c=1.0, domain=box(0, 1, "x"))
    state = {"u": jnp.asarray(np.random.default_rng(0).normal(size=16))}
    solution = solve_etdrk4(problem, 16, [0.5, 1.0], 2, initial=state)
    np.testing.assert_allclose(solution.values["u"][1], state["u"], atol=1e-12)
    half = np.fft.rfft(solution.values["u"][0]) / np.fft.rfft(state["u"])
    np.testing.assert_allclose(half[:-1], (-1.0) ** np.arange(8), atol=1e-12)
    np.testing.assert_allclose(half[-1], 1.0, atol=1e-12)


def test_base_state_where_the_right_hand_side_is_singular_at_zero():
    problem = Reaction(rate=Function(lambda _, x: -0.25 / x["u"]))
    np.testing.assert_allclose(end_state(problem, 8, 40), math.sqrt(0.5), atol=1e-8)


@pytest.mark.parametrize(
    ("problem", "needed", "degree"),
    [
        (KuramotoSivashinsky(), {"u", "u_x"}, 2),
        (KortewegDeVries(), {"u", "u_x"}, 2),
        (AllenCahn(), {"u"}, 3),
        (Heat(domain=box(0, 1, "x")), set(), 1),
        (Vorticity(), {"psi_x", "psi_y", "w_x", "w_y"}, 2),
        (Reaction(rate=Function(lambda _, x: jnp.sin(x["u"]))), {"u"}, None),
    ],
    ids=lambda p: type(p).__name__ if isinstance(p, Equation) else "",
)
def test_split_feeds_only_what_is_nonlinear(problem, needed, degree):
    parts, _ = split(problem)
    fed = [parts.function.slots[j] for j in parts.needed]
    assert {n + "_" * bool(o) + "".join(a * k for a, k in o) for n, o in fed} == needed
    assert parts.degree == degree


def test_uneven_times_agree_with_even_ones():
    problem = PeriodicBurgers(nu=0.1)
    even = solve_etdrk4(problem, 32, np.linspace(0, 1, 11), 100)
    uneven = solve_etdrk4(problem, 32, [0.1, 0.3, 0.4, 1.0], 100)
    np.testing.assert_allclose(uneven.values["u"], even.values["u"][[1, 3, 4, 10]], atol=1e-15)
    np.testing.assert_allclose(even("u", t=0.3, x=0.125), uneven("u", t=0.3, x=0.125), atol=1e-13)


@pytest.mark.parametrize("wrapped", [jax.grad, lambda f: jax.jit(jax.grad(f))])
def test_gradient_of_heat_with_respect_to_diffusivity(wrapped):
    def amplitude(k):
        problem = Heat(domain=box(0, 1, "x")).replace(diffusivity=k)
        return solve_etdrk4(problem, 16, [1.0], 5).values["u"][0, 4]

    rate = (2 * math.pi) ** 2
    slope = wrapped(amplitude)(jnp.asarray(0.02))
    np.testing.assert_allclose(slope, -rate * math.exp(-0.02 * rate), rtol=1e-12)


def test_gradient_through_an_imaginary_symbol():
    def loss(mu):
        problem = Soliton(domain=box(-30, 30, "x", end=0.5)).replace(mu=mu)
        return jnp.sum(solve_etdrk4(problem, 64, [0.25, 0.5], 20).values["u"][1] ** 3)

    e = 1e-5
    central = (loss(jnp.asarray(1 + e)) - loss(jnp.asarray(1 - e))) / (2 * e)
    np.testing.assert_allclose(jax.grad(loss)(jnp.asarray(1.0)), central, rtol=1e-6)


def test_single_precision_stays_single():
    with jax.enable_x64(False):
        problem = PeriodicBurgers(nu=0.1)
        values = end_state(problem, 64, 100)
        exact = exact_end(problem, 64)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, exact, atol=2e-6)


@equation
class Flux(Heat):
    def rhs(self, f):
        return {"u": f(lambda f: f("u") * f("u", x=1), x=1)}


VARYING = Function(lambda _, x: 1.0 + 0.5 * jnp.sin(x["x"]))


@equation
class VaryingHeat(Heat):
    def rhs(self, f):
        return {"u": f(self.diffusivity) * f("u", x=2)}


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (VaryingHeat(diffusivity=VARYING, domain=box(0, 1, "x")), "coefficient of u_xx"),
        (Advection(c=VARYING), "coefficient of u_x"),
        (Heat(diffusivity=Profile("x", (0, 1), (1, 2)), domain=box(0, 1, "x")), "product rule"),
        (Flux(domain=box(0, 1, "x")), "product rule"),
        (Heat(), "axis 'x'|'x' of Heat"),
        (Wave(domain=box(0, 1, "x")), "order 2"),
    ],
)
def test_what_has_no_constant_symbol_is_refused(problem, message):
    with pytest.raises(PinnlabError, match=message):
        etdrk4(problem, 16, 0.1)


def test_varying_coefficient_below_the_highest_derivative_is_explicit():
    @equation
    class Drift(Heat):
        def rhs(self, f):
            return {"u": 0.1 * f("u", x=2) - jnp.sin(f.coordinates["x"]) * f("u", x=1)}

    errors, fine = [], None
    for steps in (320, 20, 10):
        solution = end_state(Drift(domain=box(0, 2 * math.pi, "x")), 32, steps)
        fine = solution if fine is None else fine
        errors.append(np.max(np.abs(solution - fine)))
    assert 12 < errors[2] / errors[1] < 20


def test_messages_on_times_steps_and_blow_up():
    problem = PeriodicBurgers(nu=0.1)
    with pytest.raises(PinnlabError, match=r"0\.25 lies between two steps of 0\.1"):
        solve_etdrk4(problem, 16, [0.25, 1.0], 10)
    with pytest.raises(PinnlabError, match="increase"):
        solve_etdrk4(problem, 16, [1.0, 0.5], 10)
    with pytest.raises(PinnlabError, match="dealias"):
        solve_etdrk4(problem, 16, [1.0], 10, dealias=2.0)
    square = Reaction(rate=Function(lambda _, x: x["u"] ** 2), domain=box(0, 1, "x", end=3.0))
    with pytest.raises(DivergenceError, match="steps=300"):
        solve_etdrk4(square, 8, [0.5, 3.0], 300)


def test_the_stepper_alone_in_a_loop_of_ones_own():
    problem = PeriodicBurgers(nu=0.1)
    stepper = etdrk4(problem, 32, 0.05)
    state = stepper.forward({"u": -jnp.sin(jnp.pi * jnp.asarray(stepper.grid.nodes["x"]))})
    for i in range(20):
        state = jax.jit(stepper)(state, jnp.asarray(0.05 * i))
    own, solved = stepper.backward(state)["u"], end_state(problem, 32, 20)
    np.testing.assert_allclose(own, solved, atol=1e-14)


@pytest.mark.parametrize("case", ["kuramoto_sivashinsky", "vorticity"])
def test_agreement_with_exponax(case):
    exponax = pytest.importorskip("exponax")
    n, step = 48, 0.05
    same = {"order": 4, "dealiasing_fraction": (16 + 0.5) / (n // 2)}  # modes 0 to 15
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        if case == "vorticity":
            peer = exponax.stepper.NavierStokesVorticity(
                2, 2 * np.pi, n, step, diffusivity=0.01, **same
            )
        else:
            peer = exponax.stepper.KuramotoSivashinskyConservative(1, 20.0, n, step, **same)
    if case == "vorticity":
        ours, sign = etdrk4(Vorticity(nu=0.01), n, step), -1.0  # exponax turns the other way
    else:
        ours, sign = etdrk4(chaos(box(0, 20, "x")), n, step), 1.0
    x = {
        a: 2 * np.pi * (c - c.min()) / (c.max() + c.ravel()[1])
        for a, c in ours.grid.coordinates.items()
    }
    u = np.cos(x["x"]) + (np.sin(2 * x["x"] + x["y"]) if "y" in x else np.sin(2 * x["x"]))
    name = ours.split.function.evolving[0]
    state = ours.forward({name: jnp.asarray(u)})
    other = sign * jnp.asarray(u)[None]
    for _ in range(20):
        state = jax.jit(ours)(state, jnp.zeros(()))
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            other = peer(other)
    np.testing.assert_allclose(ours.backward(state)[name], sign * other[0], atol=1e-12)


def test_several_viscosities_at_once():
    def end(nu):
        return solve_etdrk4(PeriodicBurgers().replace(nu=nu), 32, [1.0], 20).values["u"][0]

    several = jax.vmap(end)(jnp.asarray([0.1, 0.2]))
    np.testing.assert_allclose(several[1], end_state(PeriodicBurgers(nu=0.2), 32, 20), atol=1e-13)
