"""Make the Darcy-16 set: training pairs at 16 x 16, and test pairs at 16 x 16 and 32 x 32.

    python experiments/operators/darcy16.py FOLDER

writes ``darcy16_train.nc``, ``darcy16_test.nc`` and ``darcy16_test_32.nc`` (CF netCDF). A pair is a
permeability and the potential that solves

    -div(permeability grad potential) = 1 on the unit square, potential = 0 on its sides,

where the permeability is 12 where a Gaussian field with covariance (-Laplace + 9)^-2 (no slope at
the sides) is positive, and 3 elsewhere, after Li et al., *Fourier neural operator for parametric
partial differential equations*, ICLR 2021. It is solved by finite volumes on 466 x 466 nodes, with
harmonic means of the permeability between them, by conjugate gradients with a fast Poisson solver
before it (fewer than 30 iterations, as the permeabilities differ by a factor of four).

Nodes are i/15 and i/31, with all sides; the solution is on both of them. The coordinates are in the
files. Both
test files have the same members. The checksum printed at the end is of the values as they are
stored, rounded to six digits; another machine may round a few of them otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.fft import dctn, dstn, idstn

from pinnlab.io import Coordinate, Quantity, build_dataset, write_netcdf

SEED, CELLS = 16, 465  # 15 times 31
STRIDES = {16: 31, 32: 15}  # by the nodes of an axis
HIGH, LOW = 12.0, 3.0
PARTS = {"train": 1000, "test": 100}


def permeability(random: np.random.Generator) -> np.ndarray:
    """(CELLS + 1, CELLS + 1) values on the nodes, ends included."""
    k = np.pi * np.arange(CELLS + 1)
    size = (k[:, None] ** 2 + k**2 + 9.0) ** -1.0
    # the transform counts other waves twice, and their squares' mean is 1/2
    size[0] *= np.sqrt(2.0)
    size[:, 0] *= np.sqrt(2.0)
    size[0, 0] = 0.0  # the mean of the field is zero
    waves = size * random.normal(size=size.shape)
    return np.where(dctn(waves, type=1) >= 0.0, HIGH, LOW)


def potential(a: np.ndarray, tolerance: float = 1e-8) -> np.ndarray:
    """The solution on the nodes for the permeability *a* there."""
    n = len(a) - 1
    # faces between neighbours, each with the share of the side that it crosses
    x = 2.0 * a[1:] * a[:-1] / (a[1:] + a[:-1])
    y = 2.0 * a[:, 1:] * a[:, :-1] / (a[:, 1:] + a[:, :-1])

    def applied(u: np.ndarray) -> np.ndarray:
        full = np.pad(u, 1)
        along = x[:, 1:-1] * np.diff(full[:, 1:-1], axis=0)
        across = y[1:-1] * np.diff(full[1:-1], axis=1)
        return -(np.diff(along, axis=0) + np.diff(across, axis=1)) * n**2

    waves = (2.0 * n * np.sin(0.5 * np.pi * np.arange(1, n) / n)) ** 2
    mean = np.sqrt(HIGH * LOW)

    def approximate(r: np.ndarray) -> np.ndarray:
        return idstn(dstn(r, type=1) / (waves[:, None] + waves), type=1) / mean

    u, r = np.zeros((n - 1, n - 1)), np.ones((n - 1, n - 1))
    goal = tolerance**2 * np.sum(r * r)
    p = z = approximate(r)
    rz = np.sum(r * z)
    while np.sum(r * r) > goal:
        q = applied(p)
        step = rz / np.sum(p * q)
        u, r = u + step * p, r - step * q
        z = approximate(r)
        rz, before = np.sum(r * z), rz
        p = z + rz / before * p
    return np.pad(u, 1)


Pair = tuple[np.ndarray, np.ndarray]


def members(part: str, count: int) -> dict[int, Pair]:
    """By n, (count, n, n) permeabilities and potentials."""
    seeds = np.random.SeedSequence([SEED, list(PARTS).index(part)]).spawn(count)
    with ProcessPoolExecutor() as pool:
        made = list(pool.map(member, seeds, chunksize=8))
    return {
        n: tuple(np.asarray([one[n][k] for one in made], np.float32) for k in (0, 1))
        for n in STRIDES
    }


def member(seed: np.random.SeedSequence) -> dict[int, Pair]:
    a = permeability(np.random.default_rng(seed))
    u = potential(a)
    return {n: (a[::by, ::by], u[::by, ::by]) for n, by in STRIDES.items()}


def write(path: Path, a: np.ndarray, u: np.ndarray, title: str) -> str:
    """Write one file; the checksum of its values."""
    n = a.shape[1]
    nodes = np.linspace(0.0, 1.0, n)
    coordinates = [
        Coordinate("instance", np.arange(len(a)), "1", "number of the pair"),
        *(Coordinate(axis, nodes, "1", f"{axis} coordinate") for axis in "xy"),
    ]
    dims = ("instance", "x", "y")
    quantities = [
        Quantity("permeability", dims, a, "1", "permeability"),
        Quantity("potential", dims, u, "1", "potential"),
    ]
    made_by = "made by experiments/operators/darcy16.py of pinnlab"
    write_netcdf(build_dataset(coordinates, quantities, {"title": title, "history": made_by}), path)
    rounded = np.char.mod("%.6g", np.stack([a, u]))
    return hashlib.sha256("\n".join(rounded.ravel()).encode()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description="Darcy flow at 16 x 16, and 32 x 32 for the test.")
    parser.add_argument("folder", type=Path)
    for part, count in PARTS.items():
        parser.add_argument(f"--{part}", type=int, default=count, help="number of pairs")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    made = {part: members(part, getattr(given, part)) for part in PARTS}
    for name, part, n in (("train", "train", 16), ("test", "test", 16), ("test_32", "test", 32)):
        a, u = made[part][n]
        path = given.folder / f"darcy16_{name}.nc"
        title = f"Darcy flow, {part} pairs at {n} x {n}"
        print(f"{path}: {len(a)} pairs, {write(path, a, u, title)}", flush=True)
    print(f"{time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
