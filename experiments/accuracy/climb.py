"""The classical ways to one experiment, until the error is small enough; a line of JSON each.

    python experiments/accuracy/climb.py heat 1e-9

First comes the solver that the yaml names, then the rungs of
:func:`pinnlab.solvers.automatic.climb`. Their error is against the reference of the experiment, on
its output grid, as a trained network's is. Seconds of a rung are since the climb began, compiling
and all rungs below included.
"""

from __future__ import annotations

import json
import sys

from pinnlab.core.precision import precision
from pinnlab.run.build import build_equation, instantiate
from pinnlab.run.compose import composed
from pinnlab.run.outputs import output_coordinates
from pinnlab.run.reference import make_reference, relative_l2
from pinnlab.solvers.automatic import climb
from pinnlab.solvers.gridsolution import started

# Below what any reference can tell, so that a climb ends by the measured error alone
CHANGE = 1e-15


def main(name: str, target: float) -> None:
    cfg = composed([f"experiment={name}"])
    with precision(cfg.precision):
        equation = build_equation(cfg)
        solver = instantiate(cfg.classical, "classical") if cfg.classical else None
        coordinates = output_coordinates(equation, cfg.output, None)
        reference = make_reference(equation, solver, coordinates)
        if own := reference.classical:
            error = max(own["relative_l2"].values())
            found = {"solver": f"{own['solver']} of the yaml", "seconds": own["seconds"]}
            print(json.dumps({**found, "error": error}), flush=True)
        times = list(coordinates[equation.domain.time]) if equation.domain.time else []
        for rung in climb(equation, times, CHANGE):
            values = started(rung.solution, equation, coordinates)
            error = max(relative_l2(values[n], truth) for n, truth in reference.values.items())
            found = {"solver": str(rung.solver), "seconds": rung.seconds, "error": error}
            print(json.dumps(found), flush=True)
            if error <= target:
                return
    print(json.dumps({"solver": "end"}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
