"""Operators on clouds: rows, members with meshes of their own, files, and that they learn."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pinnlab.core import Axis, Domain, PinnlabError, Variable, Variables
from pinnlab.core.cloud import Recipe, Scattered, stack
from pinnlab.core.makecloud import make_cloud
from pinnlab.core.parameters import parameter
from pinnlab.equations.base import Equation, equation
from pinnlab.equations.cloudfamily import CloudFamily
from pinnlab.models.cloudmodel import CloudModel, CloudReading
from pinnlab.models.storage import load_reading, save_reading
from pinnlab.networks import DeepOnet, GraphOperator, Transolver
from pinnlab.terms import Problem
from pinnlab.terms.clouds import MESH, CloudTerm
from pinnlab.terms.instances import INPUT, SOLUTION

RECIPE = Recipe(neighbours=4, coarse=(5,))
SMALL = GraphOperator(6, 1, kernel=4)
QUICK = {"xla_backend_optimization_level": 0}  # most programs here run once


@equation
class Spread(Equation):
    """div(k grad u) + s = 0."""

    k: float = parameter(1.0, "1")
    s: float = parameter(1.0, "1")
    domain: Domain = Domain(x=Axis(0, 1), y=Axis(0, 1))
    variables: Variables = Variables(u=Variable("potential", "1", order=0, scale=2.0))

    def rhs(self, f):
        return {"u": f.laplacian("u", self.k) + f(self.s)}


def cloud(n=20, seed=0, domain=None):
    random = np.random.default_rng(seed)
    weights = random.uniform(0.5, 1.5, n)
    domain = domain or Spread().domain
    return make_cloud(domain, random.uniform(size=(n, 2)), RECIPE, weights=weights)


def family(own):
    return CloudFamily(Spread(), own, parameters=("k", "s"))


def functions(*shape):
    return np.random.default_rng(5).normal(size=shape)


def reading(own, network=SMALL):
    made = family(own)
    model = CloudModel(network, made.names, own, scales={"input k": (0.1, 2.0)})
    return CloudReading(made, model, {"network": parameters(network)})


@functools.lru_cache
def parameters(network):
    """Random ones, which do not depend on the cloud."""
    own = cloud()
    made = family(own)
    model = CloudModel(network, made.names, own)
    member = made.member({"k": jnp.ones(own.shape), "s": jnp.asarray(1.0)})
    return jax.jit(lambda: model.init(jax.random.key(1), member), compiler_options=QUICK)()


def squares(term, made, point):
    """The sum of the squares of a term's rows."""
    point = {name: jnp.asarray(v) for name, v in point.items()}

    def whole(point):
        return jnp.sum(term.row(made.model, made.params["network"], Spread(), point) ** 2)

    return jax.jit(whole, compiler_options=QUICK)(point)


def test_a_member_holds_its_values_and_channels_are_scaled():
    own = cloud()
    made, k = family(own), jnp.asarray(functions(20))
    member = made.member({"k": k, "s": jnp.asarray(3.0)})
    assert isinstance(member.k, Scattered) and member.k.cloud is own
    model = CloudModel(SMALL, made.names, own, scales={"input k": (0.1, 2.0)})
    wanted = np.stack([(k - 0.1) / 2, np.full(20, 3.0), *(2 * own.points.T - 1)], axis=1)
    np.testing.assert_allclose(model.channels(member, own), wanted)
    bare = replace(model, coordinates=False)
    np.testing.assert_allclose(bare.channels(member, own), wanted[:, :2])


def test_the_coordinate_of_a_periodic_axis_goes_round():
    domain = Domain(x=Axis(0, 1, periodic=True), y=Axis(0, 1))
    own = cloud(domain=domain)
    model = CloudModel(SMALL, ("k",), own)
    member = CloudFamily(Spread(domain=domain), own, parameters=("k",)).member({"k": jnp.ones(20)})
    x = 2 * np.pi * own.points[:, 0]
    found = np.asarray(model.channels(member, own))[:, 1:3]
    np.testing.assert_allclose(found, -np.stack([np.cos(x), np.sin(x)], axis=1), atol=1e-14)


def test_rows_are_the_relative_error_in_the_quadrature():
    own, inner = cloud(), reading(cloud())
    inner = replace(inner, family=family(own), model=replace(inner.model, grid=own))
    k, truth = functions(2, 20)
    term = CloudTerm(inner.family, own, lambda *_: {})
    point = {INPUT + "k": k, INPUT + "s": np.asarray(1.0), SOLUTION + "u": truth}
    found = inner({"k": k[None], "s": np.ones(1)})["u"][0]
    wanted = own.weights @ (found - truth) ** 2 / (own.weights @ truth**2)
    np.testing.assert_allclose(squares(term, inner, point), wanted, rtol=1e-10)


def test_members_with_meshes_of_their_own_are_those_alone():
    """By the reading, and by the term's rows, which do not see what fills up."""
    clouds = [cloud(n, n) for n in (16, 20)]
    both, made = stack(clouds), reading(clouds[0])
    k = functions(2, 20)
    found = made({"k": k, "s": np.ones(2)}, both)["u"]
    term = CloudTerm(made.family, both, lambda *_: {})
    for i, (own, n) in enumerate(zip(clouds, (16, 20), strict=True)):
        alone = made({"k": k[i : i + 1, :n], "s": np.ones(1)}, own)["u"][0]
        np.testing.assert_allclose(found[i, :n], alone, atol=1e-12)
        truth = np.concatenate([alone + 1.0, np.full(20 - n, 7.0)])
        point = {INPUT + "k": k[i], INPUT + "s": np.asarray(1.0), SOLUTION + "u": truth}
        point[MESH] = np.asarray(i)
        wanted = own.weights.sum() / (own.weights @ truth[:n] ** 2)
        np.testing.assert_allclose(squares(term, made, point), wanted, rtol=1e-10)


def test_a_file_gives_the_same_operator(tmp_path):
    made, k = reading(cloud(), Transolver(8, 1, 2, 4)), functions(3, 20)
    inputs = {"k": k, "s": np.arange(3.0)}
    save_reading(made, tmp_path / "it.safetensors", {})
    again, _ = load_reading(tmp_path / "it.safetensors")
    np.testing.assert_array_equal(again(inputs)["u"], made(inputs)["u"])
    other = cloud(seed=3)
    np.testing.assert_array_equal(again(inputs, other)["u"], made(inputs, other)["u"])


def test_the_loss_is_learned_from_on_a_cloud():
    """u = k minus its mean, which needs what is heard from everywhere."""
    own = cloud()
    made, random = family(own), np.random.default_rng(0)
    k = random.normal(size=(32, 20))
    u = k - (k @ own.weights / own.weights.sum())[:, None] + 1
    columns = {INPUT + "k": k, INPUT + "s": np.ones(32), SOLUTION + "u": u}
    columns = {name: jnp.asarray(c) for name, c in columns.items()}
    model = CloudModel(SMALL, made.names, own).scaled({"k": k}, {"u": u})
    term = CloudTerm(made, own, lambda *_: columns)
    problem, adam = Problem(Spread(), model, [term]), optax.adam(1e-2)

    def trained():
        def step(_, carry):
            params, state = carry
            slope = jax.grad(problem.loss)(params, {term.name: columns}, {term.name: 1.0})
            change, state = adam.update(slope, state, params)
            return optax.apply_updates(params, change), state

        params = {"network": parameters(SMALL), "equation": {}}
        return jax.lax.fori_loop(0, 150, step, (params, adam.init(params)))[0]

    with jax.numpy_dtype_promotion("standard"):  # optax does not bear strict promotion
        params = jax.jit(trained, compiler_options=QUICK)()
    found = CloudReading(made, model, params)({"k": k, "s": np.ones(32)})["u"]
    assert np.linalg.norm(found - u) < 0.3 * np.linalg.norm(u - u.mean())


def test_errors():
    own, k = cloud(), functions(2, 20)
    made = reading(own)
    inputs = {"k": k, "s": np.ones(2)}
    filled = stack([cloud(16), own])
    sliced = replace(made, model=replace(made.model, network=Transolver(8, 1, 2, 4)))
    member = made.family.member({"k": jnp.asarray(k[0]), "s": jnp.asarray(1.0)})
    for said, make in {
        "other nodes": lambda: made.model.channels(member, cloud(seed=1)),
        "do not belong": lambda: made({"k": k[:, :7], "s": np.ones(2)}),
        "cannot have 2 meshes": lambda: made({"k": k[:1], "s": np.ones(1)}, filled),
        "fill meshes up": lambda: sliced(inputs, filled),
        "reads functions on a grid": lambda: reading(own, DeepOnet()),
        "set it to false": lambda: replace(made.model, exact=True),
        "train on pairs": lambda: made.model.field(None, member),
    }.items():
        with pytest.raises(PinnlabError, match=said):
            make()
