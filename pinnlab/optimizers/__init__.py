"""Optimizers: any optax transformation, and the second-order ones that optax lacks."""

from pinnlab.optimizers.base import Optimizer
from pinnlab.optimizers.gradient import Gradient
from pinnlab.optimizers.levenberg_marquardt import LevenbergMarquardt
from pinnlab.optimizers.matrix_free import MatrixFree
from pinnlab.optimizers.pseudo_time import PseudoTime
from pinnlab.optimizers.schedules import cosine
from pinnlab.optimizers.sketched import SketchedGaussNewton
from pinnlab.optimizers.soap import soap
from pinnlab.optimizers.spring import Spring
from pinnlab.optimizers.ss_broyden import QuasiNewton

__all__ = [
    "Gradient",
    "LevenbergMarquardt",
    "MatrixFree",
    "Optimizer",
    "PseudoTime",
    "QuasiNewton",
    "SketchedGaussNewton",
    "Spring",
    "cosine",
    "soap",
]
