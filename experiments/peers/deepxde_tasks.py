"""One task with DeepXDE (PyTorch, float64): Adam, then L-BFGS to the end of the budget.

Networks and points follow DeepXDE's own examples for the equation (Burgers, heat, Helmholtz; the
others like the nearest of them, since the wave example's network is not there for PyTorch),
conditions are exact by its output transform, and float64 is what its documentation advises where
L-BFGS stops early. L-BFGS has no tolerance to stop at, and is started anew if it stops.
"""

from __future__ import annotations

import os
from typing import Any

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import torch
from deepxde.optimizers.config import LBFGS_options, set_LBFGS_options
from tasks import Recorder, Task, arguments

ADAM_SHARE = 0.25  # of the budget
# PyTorch's L-BFGS learns no curvature from steps with y.s below 1e-10: without a weight the losses
# that are reached here let it stand still.
LOSS_WEIGHTS = [1e4]
# layers, units, activation, points
SETTINGS: dict[str, tuple[int, int, str, int]] = {
    "burgers": (3, 20, "tanh", 2540),
    "heat": (3, 20, "tanh", 2540),
    "poisson": (3, 20, "tanh", 2540),
    "helmholtz": (3, 50, "sin", 1600),
    "wave": (3, 50, "sin", 2540),
}


class Watch(dde.callbacks.Callback):
    """Records the error after a step, and stops where ``until`` seconds are spent."""

    def __init__(self, recorder: Recorder, until: float):
        super().__init__()
        self.recorder, self.until = recorder, until

    def on_epoch_end(self) -> None:
        self.recorder.look(lambda: self.model.predict(points(self.recorder.task)))
        self.model.stop_training = self.recorder.seconds >= self.until


def order(task: Task) -> tuple[str, ...]:
    """The axes in DeepXDE's order: time is last."""
    return tuple(sorted(task.axes, key=lambda axis: axis == "t"))


def points(task: Task) -> Any:
    return task.points[:, [task.axes.index(axis) for axis in order(task)]]


def columns(task: Task, x: Any) -> dict[str, Any]:
    return {axis: x[:, i : i + 1] for i, axis in enumerate(order(task))}


def residual(task: Task, x: Any, u: Any) -> Any:
    """The equation's residual at the (n, 2) points *x*; slot 0 is x, slot 1 is y or t."""
    u_xx = dde.grad.hessian(u, x, i=0, j=0)
    if task.name in ("poisson", "helmholtz"):
        laplacian = u_xx + dde.grad.hessian(u, x, i=1, j=1)
        source = task.source(columns(task, x), torch.sin)
        if task.name == "poisson":
            return task.coefficient * laplacian + source
        return laplacian + task.coefficient**2 * u - source
    if task.name == "wave":
        return dde.grad.hessian(u, x, i=1, j=1) - task.coefficient**2 * u_xx
    u_t = dde.grad.jacobian(u, x, i=0, j=1)
    if task.name == "heat":
        return u_t - task.coefficient * u_xx
    return u_t + u * dde.grad.jacobian(u, x, i=0, j=0) - task.coefficient * u_xx


def geometry(task: Task) -> Any:
    ends = [(task.lower[task.axes.index(a)], task.upper[task.axes.index(a)]) for a in order(task)]
    if "t" not in task.axes:
        return dde.geometry.Rectangle(*map(list, zip(*ends, strict=True)))
    time = dde.geometry.TimeDomain(*ends[1])
    return dde.geometry.GeometryXTime(dde.geometry.Interval(*ends[0]), time)


def network(task: Task) -> Any:
    """The network with inputs in [-1, 1] and exact conditions."""
    depth, width, activation, _ = SETTINGS[task.name]
    net = dde.nn.FNN([2] + [width] * depth + [1], activation, "Glorot normal")

    def scaled(x: Any) -> Any:
        return torch.cat([task.scaled(a, c) for a, c in columns(task, x).items()], 1)

    net.apply_feature_transform(scaled)
    net.apply_output_transform(lambda x, u: task.satisfying(columns(task, x), u, torch.sin))
    return net


def main() -> None:
    task, configuration, path, budget = arguments()
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(0)
    set_LBFGS_options(gtol=0.0, maxiter=10**9)
    LBFGS_options["iter_per_step"], LBFGS_options["fun_per_step"] = 20, 25  # between two looks
    recorder = Recorder(task, path, ("DeepXDE", dde.__version__, configuration), budget)

    kind, n = dde.data.TimePDE if "t" in task.axes else dde.data.PDE, SETTINGS[task.name][-1]
    data = kind(geometry(task), lambda x, u: residual(task, x, u), [], num_domain=n)
    model = dde.Model(data, network(task))
    model.compile("adam", lr=1e-3, loss_weights=LOSS_WEIGHTS)
    watch = Watch(recorder, ADAM_SHARE * budget)
    model.train(iterations=10**9, display_every=10**9, callbacks=[watch], verbose=0)
    while not recorder.over:
        before = recorder.seconds
        model.compile("L-BFGS", loss_weights=LOSS_WEIGHTS)
        model.train(display_every=10**9, callbacks=[Watch(recorder, budget)], verbose=0)
        if recorder.seconds - before < 0.01 * budget:  # it stops at once: the end of its precision
            break
    recorder.look(lambda: model.predict(points(task)), always=True)


if __name__ == "__main__":
    main()
