"""A variant as one ONNX file, for use without PyTorch and without the code of this project."""

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

OLDEST_PYTORCH = "2.8"  # 2.6 exported with none of the versions of onnxscript that were tried

LARGEST_DIFFERENCE = 1e-3  # of alpha, between PyTorch and ONNX Runtime

OPSET = 18


def export_onnx(folder: str | Path) -> list[Path]:
    """Write VARIANT/model.onnx into a model repository, for every variant.

    The file takes `photo`, uint8 RGB (height, width, 3) of any size, upright, and gives `alpha`, float32 of the same
    height and width, in [0, 1]: `hairseg.networks.onnx.PhotoToAlpha`. Each is compared with PyTorch on three
    photos before it gets its name.

    Returns:
        The files.

    Raises:
        InputError: a package is missing, the repository is not valid, or the file does not compute the same.
    """
    check_packages()
    repository = ModelRepository(folder)
    return [_export(repository, variant) for variant in repository.config.variants]


def check_packages() -> None:
    """Raises InputError when what exporting needs is not installed, or too old."""
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise InputError(
            f"{', '.join(missing)} cannot be imported",
            f"what exporting needs: {', '.join(PACKAGES)}",
            f"pip install {' '.join(missing)}",
        )
    version = torch.__version__  # it compares by number
    if version < OLDEST_PYTORCH:
        raise InputError(
            f"PyTorch {version} is too old for exporting", f"{OLDEST_PYTORCH} or later", "pip install -U torch"
        )


def _export(repository: ModelRepository, variant: str) -> Path:
    network = repository.load_network(variant)
    model = PhotoToAlpha(network, repository.config.preprocessing).eval()
    path = repository.onnx(variant)
    photos = _photos()
    room = sum(tensor.nbytes for tensor in network.state_dict().values())
    with atomic_write(path, room) as beside:
        with _quietly(), torch.no_grad():
            torch.onnx.export(
                model,
                (torch.from_numpy(photos[0]),),
                str(beside),
                input_names=["photo"],
                output_names=["alpha"],
                dynamic_shapes={"photo": {0: torch.export.Dim("height"), 1: torch.export.Dim("width")}},
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        difference = max(_difference(model, beside, photo) for photo in photos)
        if not difference <= LARGEST_DIFFERENCE:
            raise InputError(
                f"{path} gives alphas that differ by {difference:.1e} from PyTorch's",
                f"at most {LARGEST_DIFFERENCE}",
                "try other versions of torch and onnxruntime",
            )
    return path


@torch.inference_mode()
def _difference(model: PhotoToAlpha, path: Path, photo: np.ndarray) -> float:
    from onnxruntime import InferenceSession

    alpha = np.asarray(InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"photo": photo})[0])
    expected = model(torch.from_numpy(photo)).numpy()
    return float(np.abs(alpha - expected).max()) if alpha.shape == expected.shape else float("inf")


def _photos() -> list[np.ndarray]:
    """An upright photo, a lying one, and a small one: seeded noise, enlarged, so that they are smooth as photos are."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    return [
        np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))
        for height, width in ((700, 500), (333, 1000), (60, 47))
    ]


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporter tells about its own deprecated parts, which a user can do nothing about."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
