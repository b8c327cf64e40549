"""One of pinnlab's own experiments, trained from its yaml, with the clock of ``tasks.py``."""

from __future__ import annotations

from typing import Any

from tasks import Recorder, arguments

import pinnlab
from pinnlab.core.precision import precision
from pinnlab.models.windows import WindowedReading
from pinnlab.run.build import build_equation
from pinnlab.run.compose import composed
from pinnlab.run.machine import use_compilation_cache
from pinnlab.run.methods import build
from pinnlab.train.loop import Loop


def main() -> None:
    task, configuration, path, budget = arguments()
    use_compilation_cache()
    cfg = composed([f"experiment={task.name}", "budget=null"])
    columns = dict(zip(task.axes, task.points.T, strict=True))
    about = ("pinnlab", pinnlab.__version__, configuration)
    recorder = Recorder(task, path, about, budget)
    with precision(cfg.precision):
        plan = build(cfg, build_equation(cfg), None)
        loop = Loop(plan.trainer, plan.legs, None, lambda record: None, None)

        def look(always: bool = False) -> None:
            reading: Any = plan.reading(loop.reached)
            if not isinstance(reading, WindowedReading) or reading.complete:
                recorder.look(lambda: reading("u", **columns), always)

        loop.start()
        while not (loop.over or recorder.over):
            loop.chunk()
            look()
        look(always=True)


if __name__ == "__main__":
    main()
