"""Watchkeeper keeps watch over AI models in production."""

from watchkeeper.client import PredictionLogger

__all__ = ["PredictionLogger"]
