"""A configuration in, a trained network or its scores out."""

from reid_gl.experiment.score import run_test
from reid_gl.experiment.train import run_training

__all__ = ["run_test", "run_training"]
