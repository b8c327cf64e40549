"""How often the stated 95 % interval of a learned parameter holds the truth, over noise draws.

    python experiments/inverse/coverage.py [--draws 20] [--only heat_inverse]

Each draw is a training of the experiment as its yaml declares it, with one per cent of noise and
fewer steps. The compiled programs are shared among the draws; the noise enters as a column.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from omegaconf import OmegaConf

from pinnlab.core.precision import precision
from pinnlab.core.rows import read_rows, write_rows
from pinnlab.run.build import build_equation
from pinnlab.run.compose import composed
from pinnlab.run.interval import combined, rows_and_slopes, variance
from pinnlab.run.machine import use_compilation_cache
from pinnlab.run.methods import build
from pinnlab.run.synthetic import make_observed
from pinnlab.train.compiled import Compiled

HERE = Path(__file__).parent
STEPS = {"heat_inverse": 40, "burgers_inverse": 60}
NOISE = 0.01


def draws(name, count):
    """A row for each draw of the noise."""
    cfg = composed([f"experiment={name}", f"observations.noise={NOISE}"])
    given = OmegaConf.to_container(cfg.observations, resolve=True)
    equation = build_equation(cfg)
    plan = build(cfg, equation, make_observed(equation, given))
    problem, trainer = plan.problem, plan.trainer
    phase, (data,) = trainer.phases[0], [n for n in problem.by_name if n.startswith("data_")]
    compiled = Compiled(problem, phase, trainer.weights, trainer.fresh, np.array([cfg.seed]))
    measure = jax.jit(lambda params, batch: rows_and_slopes(problem, params, batch))
    first = compiled.start(0, None, None)
    (parameter,) = problem.learned
    for draw in range(count):
        observed = make_observed(equation, {**given, "seed": draw})
        seen = observed.training()
        columns = {
            "_value": jnp.asarray(seen.values),
            "_sigma": jnp.full(seen.values.shape, seen.sigma),
        }

        def noisy(state, columns=columns):
            batch = {**state["batch"], data: {**state["batch"][data], **columns}}
            return {**state, "batch": batch}

        begun, state = time.process_time(), noisy(first)
        for step in range(0, STEPS[name], phase.resample):
            state = noisy(compiled.draw(state, step)) if step else state
            state, _ = compiled.advance(state, phase.resample)
        params, batch = state["params"], state["batch"]
        made = measure(params, batch)
        interval = combined(problem, [(params, variance(problem, made, batch, params))])
        value, lower, upper = (float(end) for end in interval[parameter])
        truth = observed.truth[parameter]
        yield {
            "experiment": name,
            "parameter": parameter,
            "truth": truth,
            "draw": draw,
            "value": f"{value:.8g}",
            "lower": f"{lower:.8g}",
            "upper": f"{upper:.8g}",
            "inside": "yes" if lower <= truth <= upper else "no",
            "processor_seconds": f"{time.process_time() - begun:.1f}",
        }


def told(rows):
    """Coverage, and the interval's half width over the scatter of the values."""
    value = np.array([float(row["value"]) for row in rows])
    half = np.array([float(row["upper"]) - float(row["lower"]) for row in rows]) / 2.0
    inside = sum(row["inside"] == "yes" for row in rows)
    scatter = np.sqrt(np.mean((value - rows[0]["truth"]) ** 2))
    return (
        f"{rows[0]['experiment']}: {inside} of {len(rows)} intervals hold the truth; mean half "
        f"width {half.mean():.3g}, 1.96 times the scatter about the truth {1.96 * scatter:.3g}, "
        f"mean error {np.mean(value) - rows[0]['truth']:.2g}"
    )


def write(rows, path):
    """Put the rows of one experiment into the table."""
    every = [row for row in read_rows(path) if row["experiment"] != rows[0]["experiment"]] + rows
    every.sort(key=lambda row: list(STEPS).index(row["experiment"]))
    write_rows(path, every)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--only", choices=STEPS, help="one; rows of the other stay")
    chosen = parser.parse_args()
    use_compilation_cache()
    with precision("float64"):
        for name in [chosen.only] if chosen.only else STEPS:
            rows = []
            for row in draws(name, chosen.draws):
                print(row, flush=True)
                rows.append(row)
            print(told(rows), flush=True)
            write(rows, HERE / "coverage.csv")


if __name__ == "__main__":
    main()
