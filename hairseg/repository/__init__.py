"""The model repository on disk: its files, their typed contents, and several repositories side by side."""

from hairseg.repository.repository import BUNDLED, ModelRepository

__all__ = ["BUNDLED", "ModelRepository"]
