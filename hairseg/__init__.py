"""HairSeg: hair segmentation by DeepLabV3, with and without pretraining, and hair recolouring.

Names are imported on first use, so that `import hairseg` does not import PyTorch.

Example:
    >>> import hairseg
    >>> photo = hairseg.load_photo("selfie.jpg")  # doctest: +SKIP
    >>> alpha = hairseg.HairPredictor.from_pretrained().alphas(photo)["pretrained"]  # doctest: +SKIP
    >>> dyed = hairseg.recolour(photo, alpha, "copper")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "1.0.0.dev0"

if TYPE_CHECKING:
    from hairseg.errors import InputError
    from hairseg.hub.publish import push
    from hairseg.hub.resolve import pull
    from hairseg.images import load_photo
    from hairseg.inference.predictor import HairPredictor
    from hairseg.recolouring.palette import PRESETS
    from hairseg.recolouring.recolourer import HairRecolourer, cutout, recolour
    from hairseg.recolouring.settings import RecolourSettings

__all__ = [
    "PRESETS",
    "HairPredictor",
    "HairRecolourer",
    "InputError",
    "RecolourSettings",
    "__version__",
    "cutout",
    "load_photo",
    "pull",
    "push",
    "recolour",
]
_MODULES = {
    "PRESETS": "recolouring.palette",
    "HairPredictor": "inference.predictor",
    "HairRecolourer": "recolouring.recolourer",
    "InputError": "errors",
    "RecolourSettings": "recolouring.settings",
    "cutout": "recolouring.recolourer",
    "load_photo": "images",
    "pull": "hub.resolve",
    "push": "hub.publish",
    "recolour": "recolouring.recolourer",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'hairseg' has no attribute {name!r}")
    value = getattr(import_module(f"hairseg.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
