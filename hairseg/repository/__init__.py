"""The model repository on disk: its files, config.json, metrics.json, and several side by side."""

from hairseg.repository.repository import BUNDLED, ModelRepository

__all__ = ["BUNDLED", "ModelRepository"]
