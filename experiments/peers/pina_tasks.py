"""One task with PINA: Adam, then L-BFGS to the end of the budget, in float64.

The equations are PINA's own where it has them, the conditions exact by a model of the user's, as in
its tutorial on the wave equation (with tanh: its ReLU has no second derivative).
"""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from pina import Condition, LabelTensor, Trainer
from pina.domain import CartesianDomain
from pina.equation import Equation
from pina.equation.zoo import (
    AcousticWaveEquation,
    BurgersEquation,
    HelmholtzEquation,
    PoissonEquation,
)
from pina.operator import grad, laplacian
from pina.optim import TorchOptimizer
from pina.problem import SpatialProblem, TimeDependentProblem
from pina.solver import PhysicsInformedSingleModelSolver
from pina.weighting import ScalarWeighting
from tasks import Recorder, Task, arguments

ADAM_SHARE = 0.25  # of the budget
# PyTorch's L-BFGS learns no curvature from steps with y.s below 1e-10: without a weight the losses
# that are reached here let it stand still.
LOSS_WEIGHT = 1e4
POINTS = 2000
WIDTHS = {"burgers": 20, "heat": 20, "poisson": 20, "helmholtz": 40, "wave": 40}


class HardMLP(torch.nn.Module):
    """Three tanh layers whose output satisfies the task's conditions exactly."""

    def __init__(self, task: Task, width: int):
        super().__init__()
        self.task = task
        layers: list[torch.nn.Module] = [torch.nn.Linear(2, width), torch.nn.Tanh()]
        for _ in range(2):
            layers += [torch.nn.Linear(width, width), torch.nn.Tanh()]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))

    def forward(self, x: Any) -> Any:
        """At a LabelTensor, whose columns PINA orders otherwise in training than on the grid."""
        columns = {axis: x.extract([axis]) for axis in self.task.axes}
        inputs = [self.task.scaled(axis, column) for axis, column in columns.items()]
        raw = self.layers(torch.cat(inputs, dim=1))
        return self.task.satisfying(columns, raw, torch.sin)


def equation(task: Task) -> Any:
    if task.name == "burgers":
        return BurgersEquation(nu=task.coefficient)
    if task.name == "wave":
        return AcousticWaveEquation(c=task.coefficient)

    def source(x: Any) -> Any:
        return task.source({axis: x.extract([axis]) for axis in task.axes}, torch.sin)

    if task.name == "helmholtz":
        return HelmholtzEquation(task.coefficient**2, source)
    if task.name == "poisson":  # its form is laplacian u = f
        return PoissonEquation(lambda x: -source(x) / task.coefficient)
    return Equation(lambda x, u: grad(u, x, d=["t"]) - task.coefficient * laplacian(u, x, d=["x"]))


def problem(task: Task) -> Any:
    """The task as a PINA problem, with its points."""
    ends = {a: [lo, up] for a, lo, up in zip(task.axes, task.lower, task.upper, strict=True)}
    space = CartesianDomain({axis: end for axis, end in ends.items() if axis != "t"})
    given: dict[str, Any] = {"output_variables": ["u"], "spatial_domain": space}
    bases: tuple[type, ...] = (SpatialProblem,)
    if "t" in ends:
        bases = (TimeDependentProblem, SpatialProblem)
        given["temporal_domain"] = CartesianDomain({"t": ends["t"]})
    given["domains"] = {"D": CartesianDomain(ends)}
    given["conditions"] = {"D": Condition(domain="D", equation=equation(task))}
    made = type("Problem", bases, given)()
    made.discretise_domain(POINTS, "lh")
    return made


class Watch(Callback):
    """Records the error after a step, and stops where ``until`` seconds are spent."""

    def __init__(self, recorder: Recorder, predict: Any, until: float):
        super().__init__()
        self.recorder, self.predict, self.until = recorder, predict, until

    def on_train_epoch_end(self, trainer: Any, solver: Any) -> None:
        self.recorder.look(self.predict)
        trainer.should_stop = self.recorder.seconds >= self.until


def main() -> None:
    task, configuration, path, budget = arguments()
    warnings.filterwarnings("ignore")
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    recorder = Recorder(task, path, ("PINA", version("pina-mathlab"), configuration), budget)
    grid = LabelTensor(torch.as_tensor(task.points), list(task.axes))
    model, posed = HardMLP(task, WIDTHS[task.name]), problem(task)

    def predict() -> Any:
        with torch.no_grad():
            return model(grid).tensor.numpy()

    lbfgs = {"max_iter": 20, "max_eval": 25, "history_size": 100, "tolerance_grad": 0.0}
    lbfgs |= {"tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
    stages = (
        (ADAM_SHARE * budget, TorchOptimizer(torch.optim.Adam, lr=1e-3)),
        (budget, TorchOptimizer(torch.optim.LBFGS, **lbfgs)),
    )
    for until, optimizer in stages:
        weighting = ScalarWeighting(LOSS_WEIGHT)
        solver = PhysicsInformedSingleModelSolver(
            posed, model, optimizer=optimizer, weighting=weighting
        )
        trainer = Trainer(
            solver=solver,
            max_epochs=-1,
            accelerator="cpu",
            precision="64-true",
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
            callbacks=[Watch(recorder, predict, until)],
        )
        trainer.train()
    recorder.look(predict, always=True)


if __name__ == "__main__":
    main()
