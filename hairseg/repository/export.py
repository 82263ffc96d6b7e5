"""Export of a variant as one ONNX file, for use without PyTorch and without HairSeg."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hairseg.errors import InputError
from hairseg.files import atomic_write
from hairseg.networks.onnx import PhotoToAlpha
from hairseg.repository import ModelRepository

PACKAGES = ("onnx", "onnxscript", "onnxruntime")

MIN_PYTORCH = "2.8"  # PyTorch 2.6 failed with every version of onnxscript that was tried.

MAX_ALPHA_DIFFERENCE = 1e-3

OPSET = 18


def export_onnx(folder: str | Path) -> list[Path]:
    """Write VARIANT/model.onnx into a model repository, for every variant.

    The model takes `photo`, an upright uint8 RGB image (height, width, 3) of any size, and returns `alpha`, float32
    (height, width) in [0, 1]; see `hairseg.networks.onnx.PhotoToAlpha`. Before a file gets its name, its output is
    compared with PyTorch's on three photos.

    Returns:
        The files written.

    Raises:
        InputError: a package is missing or too old, the repository is not valid, or an output differs.
    """
    check_packages()
    repository = ModelRepository(folder)
    return [_export(repository, variant) for variant in repository.config.variants]


def check_packages() -> None:
    """Check that the packages for exporting are installed.

    Raises:
        InputError: a package is missing, or PyTorch is too old.
    """
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise InputError(f"Exporting needs {', '.join(missing)}.", remedy=f"Run `pip install {' '.join(missing)}`.")
    version = torch.__version__  # TorchVersion, which compares by number
    if version < MIN_PYTORCH:
        raise InputError(
            f"PyTorch {version} is too old for exporting.", remedy=f"Install PyTorch {MIN_PYTORCH} or later."
        )


def _export(repository: ModelRepository, variant: str) -> Path:
    model = PhotoToAlpha(repository.load_network(variant), repository.config.preprocessing).eval()
    photos = _test_photos()
    path = repository.onnx(variant)
    with atomic_write(path) as temporary:
        with _silence_exporter(), torch.no_grad():
            torch.onnx.export(
                model,
                (torch.from_numpy(photos[0]),),
                str(temporary),
                input_names=["photo"],
                output_names=["alpha"],
                dynamic_shapes={"photo": {0: torch.export.Dim("height"), 1: torch.export.Dim("width")}},
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        difference = max(_difference(model, temporary, photo) for photo in photos)
        if not difference <= MAX_ALPHA_DIFFERENCE:
            raise InputError(
                f"{path} gives alphas that differ by {difference:.1e} from PyTorch's.",
                remedy="Try other versions of torch and onnxruntime.",
            )
    return path


@torch.inference_mode()
def _difference(model: PhotoToAlpha, path: Path, photo: np.ndarray) -> float:
    """Largest difference of alpha between ONNX Runtime and PyTorch; infinite where the shapes differ."""
    from onnxruntime import InferenceSession

    alpha = np.asarray(InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"photo": photo})[0])
    expected = model(torch.from_numpy(photo)).numpy()
    return float(np.abs(alpha - expected).max()) if alpha.shape == expected.shape else float("inf")


def _test_photos() -> list[np.ndarray]:
    """Enlarge seeded noise to an upright, a wide and a small picture, smooth as photos are."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    return [
        np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))
        for height, width in ((700, 500), (333, 1000), (60, 47))
    ]


@contextmanager
def _silence_exporter() -> Iterator[None]:
    """Hide warnings about the exporter's own deprecated parts, which a user cannot act on."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(logging.NOTSET)
