"""Solutions of Darcy's equation for random conductivities, on meshes of a disc with a hole.

``python experiments/mesh/make_data.py`` writes ``data.nc`` (one mesh for all members) and
``own.nc`` (the hole of each member lies elsewhere) beside this file, in the layout of UGRID.
"""

from pathlib import Path

import fem
import numpy as np
import xarray as xr

MEMBERS, OWN = 600, 600
SPACING, OWN_SPACING = 0.072, 0.085
LENGTH, STRENGTH, WAVES = 0.4, 0.7, 48
FLOOR = 40  # of the last members, the error of whose solutions is measured


class Conductivity:
    """exp(0.7 g) of a Gaussian random function g with the correlation exp(-r^2 / (2 0.4^2))."""

    def __init__(self, random):
        self.waves = random.normal(size=(WAVES, 2)) / LENGTH
        self.phases = random.uniform(0, 2 * np.pi, WAVES)

    def __call__(self, points):
        turn = points @ self.waves.T + self.phases
        return np.exp(STRENGTH * np.sqrt(2 / WAVES) * np.cos(turn).sum(axis=-1))


def solved(mesh, conductivity):
    points, faces, sides = mesh
    here = conductivity(points[faces].mean(axis=1))
    return fem.solve(points, faces, sides, here, np.ones(len(faces)))


def floor(pairs):
    """The mean relative change at the nodes under two refinements, in parts of |u|."""
    found = []
    for mesh, conductivity, u in pairs:
        fine = fem.refined(*fem.refined(*mesh))
        v = solved(fine, conductivity)[: len(u)]
        found.append(np.linalg.norm(u - v) / np.linalg.norm(v))
    return float(np.mean(found))


def shared(random):
    """Members on one mesh."""
    mesh = fem.mesh(SPACING)
    functions = [Conductivity(random) for _ in range(MEMBERS)]
    u = np.stack([solved(mesh, f) for f in functions])
    k = np.stack([f(mesh[0]) for f in functions])
    last = slice(-FLOOR, None)
    measured = floor(zip([mesh] * FLOOR, functions[last], u[last], strict=True))
    return dataset(("node",), mesh[0], ("face", "corner"), mesh[1], k, u, measured)


def own(random):
    """Members on a mesh each, filled up with missing values."""
    meshes, functions = [], []
    while len(meshes) < OWN:
        radius = random.uniform(0.15, 0.35)
        turn, away = random.uniform(0, 2 * np.pi), random.uniform(0, 0.8 - radius)
        hole = (away * np.cos(turn), away * np.sin(turn), radius)
        meshes.append(fem.mesh(OWN_SPACING, hole, seed=len(meshes)))
        functions.append(Conductivity(random))
    u = [solved(m, f) for m, f in zip(meshes, functions, strict=True)]
    k = [f(m[0]) for m, f in zip(meshes, functions, strict=True)]
    last = slice(-FLOOR, None)
    measured = floor(zip(meshes[last], functions[last], u[last], strict=True))
    points, faces = filled([m[0] for m in meshes]), filled([m[1].astype(float) for m in meshes])
    dims = ("instance", "node"), ("instance", "face", "corner")
    return dataset(dims[0], points, dims[1], faces, filled(k), filled(u), measured)


def filled(arrays):
    most = max(map(len, arrays))
    pads = [(0, 0)] * (arrays[0].ndim - 1)
    return np.stack(
        [np.pad(a, [(0, most - len(a)), *pads], constant_values=np.nan) for a in arrays]
    )


def dataset(place, points, cells, faces, k, u, measured):
    both = ("instance", "node")
    numbers = {"cf_role": "face_node_connectivity", "start_index": 0}
    made = xr.Dataset(
        {
            "conductivity": (both, k.astype("float32"), {"units": "1"}),
            "u": (both, u.astype("float32"), {"units": "1", "long_name": "potential"}),
            "faces": (cells, np.nan_to_num(faces, nan=-1).astype("int32"), numbers),
        },
        {
            name: (place, points[..., i], {"units": "1", "long_name": name})
            for i, name in enumerate("xy")
        },
        {"title": "Darcy flow on a disc with a hole", "Conventions": "CF-1.11 UGRID-1.0"},
    )
    made.attrs["floor"] = measured
    return made


def main():
    here = Path(__file__).parent
    for name, make, seed in (("data", shared, 0), ("own", own, 1)):
        made = make(np.random.default_rng(seed))
        made.to_netcdf(here / f"{name}.nc")
        print(name, dict(made.sizes), f"floor {made.attrs['floor']:.4f}")


if __name__ == "__main__":
    main()
