"""Graph network and Transolver on the solutions of ``make_data.py``, beside two baselines.

``python experiments/mesh/train.py --network graph --steps 3000 --seed 0`` adds a row to
``results.csv``; ``--data own`` takes the file in which each member has its own mesh. Seconds are
of the processor, compiling included; run on one core (``taskset -c 1``).
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import xarray as xr
from scipy.spatial import cKDTree

import pinnlab
from pinnlab import Axis, Domain, Equation, Variable, Variables, equation, parameter
from pinnlab.core.cloud import Recipe
from pinnlab.core.rows import read_rows, write_rows
from pinnlab.equations.cloudfamily import CloudFamily
from pinnlab.io.mesh import read_mesh
from pinnlab.models.cloudmodel import CloudModel, CloudReading
from pinnlab.networks import GraphOperator, Transolver
from pinnlab.optimizers import Gradient, soap
from pinnlab.terms import Problem
from pinnlab.terms.clouds import MESH, CloudTerm
from pinnlab.terms.instances import INPUT, SOLUTION
from pinnlab.train import Phase, Trainer

HERE = Path(__file__).parent
TEST = 100
NETWORKS = {
    "graph": GraphOperator(width=32, depth=3),
    "transolver": Transolver(width=48, depth=4, heads=4, slices=32),
}


@equation
class Darcy(Equation):
    """div(k grad u) + 1 = 0."""

    conductivity: float = parameter(1.0, "1")
    domain: Domain = Domain(x=Axis(-1, 1), y=Axis(-1, 1))
    variables: Variables = Variables(u=Variable("potential", "1", order=0, scale=0.1))

    def rhs(self, f):
        return {"u": f.laplacian("u", self.conductivity) + 1.0}


def relative(found, truth, weights):
    """(M,) errors in the quadrature of the nodes."""
    return np.sqrt(np.sum(weights * (found - truth) ** 2, -1) / np.sum(weights * truth**2, -1))


def baselines(cloud, k, u, train, test, weights):
    """Errors of the mean of the training's solutions, and of that of the member whose log k is
    nearest; where each has its own mesh, of the mean over the 50 nearest nodes of all."""
    if cloud.count:
        known = weights[train] > 0
        tree = cKDTree(cloud.points[train][known])
        mean = u[train][known][tree.query(cloud.points[test], 50)[1]].mean(axis=-1)
        return {"mean": f"{relative(mean, u[test], weights[test]).mean():.4f}"}
    logs = np.log(k)
    near = ((logs[test, None] - logs[None, train]) ** 2).sum(-1).argmin(axis=1)
    found = {"mean": u[train].mean(axis=0), "nearest": u[train][near]}
    return {n: f"{relative(v, u[test], weights[test]).mean():.4f}" for n, v in found.items()}


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("--network", choices=NETWORKS, default="graph")
    asked.add_argument("--data", choices=("data", "own"), default="data")
    asked.add_argument("--steps", type=int, default=3000)
    asked.add_argument("--batch", type=int, default=8)
    asked.add_argument("--rate", type=float, default=2e-3)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--trial", action="store_true", help="write no row")
    args = asked.parse_args()
    with xr.open_dataset(HERE / f"{args.data}.nc") as ds:
        mesh = read_mesh(ds, Darcy().domain, args.data)
        cloud = mesh.cloud(Darcy().domain, Recipe(neighbours=8))
        k, u = (mesh.values(ds, name, "1") for name in ("conductivity", "u"))
        floor = ds.attrs["floor"]
    train, test = np.arange(len(u) - TEST), np.arange(len(u) - TEST, len(u))
    weights = np.broadcast_to(cloud.weights, u.shape)
    began = time.process_time()
    reading, done = trained(args, cloud, k, u, train)
    seconds = time.process_time() - began
    there = jax.tree.map(lambda a: a[test], cloud) if cloud.count else cloud
    inputs = {"conductivity": np.log(np.where(k > 0, k, 1.0))[test]}
    reading(inputs, there)
    began = time.process_time()
    found = reading(inputs, there)["u"]
    per = (time.process_time() - began) / TEST
    error = relative(found, u[test], weights[test]).mean()
    row = {
        "data": args.data,
        "network": args.network,
        "seed": args.seed,
        "relative_l2": f"{error:.4f}",
        "floor": f"{floor:.4f}",
        "steps": done.step,
        "seconds": f"{seconds:.0f}",
        "milliseconds_per_member": f"{1e3 * per:.2f}",
        "parameters": sum(p.size for p in jax.tree.leaves(done.params)),
    }
    row |= baselines(cloud, k, u, train, test, weights)
    print(row)
    if not args.trial:
        write(row)


def trained(args, cloud, k, u, train):
    """A reading of the network trained on the members *train*; it reads the logarithm of k."""
    one = cloud.one(0) if cloud.count else cloud
    family = CloudFamily(Darcy(), one, parameters=("conductivity",))
    columns = {
        INPUT + "conductivity": np.log(np.where(k > 0, k, 1.0)).astype("float32"),
        SOLUTION + "u": u.astype("float32"),
    }
    if cloud.count:
        columns[MESH] = np.arange(len(u), dtype=np.int32)

    def drawn(key, n, step):
        some = jnp.asarray(train)[jax.random.permutation(key, len(train))[:n]]
        return {name: jnp.asarray(c)[some] for name, c in columns.items()}

    with pinnlab.precision("float32"):
        model = CloudModel(NETWORKS[args.network], family.names, one)
        model = model.scaled(
            {"conductivity": columns[INPUT + "conductivity"]}, {"u": columns[SOLUTION + "u"]}
        )
        problem = Problem(Darcy(), model, [CloudTerm(family, cloud, drawn)])
        rate = optax.warmup_cosine_decay_schedule(0.0, args.rate, 100, args.steps)
        phase = Phase(
            Gradient(soap(rate), 50),
            args.steps,
            len(train) // 8 * 8,
            resample=50,
            minibatch=args.batch,
        )
        done = Trainer([phase], seed=args.seed, fresh=32).fit(problem, report=lambda r: None)
    return CloudReading(family, model, done.params), done


def write(row):
    path = HERE / "results.csv"
    own = ("data", "network", "seed")
    rows = [r for r in read_rows(path) if any(r[n] != str(row[n]) for n in own)]
    write_rows(path, sorted([*rows, row], key=lambda r: [str(r[n]) for n in own]))


if __name__ == "__main__":
    main()
