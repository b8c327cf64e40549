"""Optimizers: any optax transformation, and the second-order ones that optax lacks."""

from pinnlab.optimizers.base import Optimizer
from pinnlab.optimizers.gradient import Gradient
from pinnlab.optimizers.levenberg_marquardt import LevenbergMarquardt

__all__ = ["Gradient", "LevenbergMarquardt", "Optimizer"]
