"""Model repositories on the Hugging Face Hub."""

from hairseg.hub.resolution import resolve

__all__ = ["resolve"]
