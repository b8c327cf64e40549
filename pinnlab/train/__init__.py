"""The one trainer, its weights, checkpoints and logs."""

from pinnlab.train.attention import Causal, ResidualAttention
from pinnlab.train.checkpoint import Checkpoint
from pinnlab.train.log import JsonLines, ProgressBar
from pinnlab.train.trainer import Phase, Trainer, Training
from pinnlab.train.weights import Fixed, GradientNorm, NeuralTangentKernel, ReLoBRaLo, Weighting

__all__ = [
    "Causal",
    "Checkpoint",
    "Fixed",
    "GradientNorm",
    "JsonLines",
    "NeuralTangentKernel",
    "Phase",
    "ProgressBar",
    "ReLoBRaLo",
    "ResidualAttention",
    "Trainer",
    "Training",
    "Weighting",
]
