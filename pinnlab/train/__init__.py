"""The one trainer, its weights, checkpoints and logs."""

from pinnlab.train.checkpoint import Checkpoint
from pinnlab.train.log import JsonLines, ProgressBar
from pinnlab.train.trainer import Phase, Trainer, Training
from pinnlab.train.weights import Fixed, GradientNorm

__all__ = [
    "Checkpoint",
    "Fixed",
    "GradientNorm",
    "JsonLines",
    "Phase",
    "ProgressBar",
    "Trainer",
    "Training",
]
