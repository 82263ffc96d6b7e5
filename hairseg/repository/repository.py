"""The model repository on disk. Its file names are defined here only.

README.md  config.json  metrics.json  figures/*.png
{pretrained,random}/model.safetensors  {pretrained,random}/history.json  {pretrained,random}/model.onnx
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from hairseg.errors import InputError, quote, summarise
from hairseg.files import write_bytes, write_json
from hairseg.networks.backbones import build_model
from hairseg.networks.deeplab import DeepLabV3
from hairseg.paper import VARIANTS
from hairseg.repository.config import Config
from hairseg.repository.metrics import EpochRecord, Metrics
from hairseg.repository.records import describe

CONFIG_FILE, METRICS_FILE, CARD_FILE = "config.json", "metrics.json", "README.md"

WEIGHTS_FILE, HISTORY_FILE, ONNX_FILE = "model.safetensors", "history.json", "model.onnx"

FIGURES_FOLDER = "figures"

SERVING_FILES = [
    CONFIG_FILE,
    METRICS_FILE,
    *(f"{variant}/{name}" for variant in VARIANTS for name in (WEIGHTS_FILE, HISTORY_FILE)),
]

FILE_PATTERNS = [CARD_FILE, *SERVING_FILES, *(f"{variant}/{ONNX_FILE}" for variant in VARIANTS), "figures/*.png"]

BUNDLED = Path(__file__).parents[1] / "bundled"

FLOAT_DTYPES = ("F16", "BF16", "F32", "F64")

DOWNLOAD_AGAIN = "Restore the file, or download the repository again."

LFS_POINTER = b"version https://git-lfs"
"""First bytes of a Git LFS pointer, which `git clone` writes instead of a large file if Git LFS is not installed."""

T = TypeVar("T")


class ModelRepository:
    """A folder with the trained variants of a network: weights, settings, scores and training history.

    Everything read is checked. Files are written atomically, and missing folders are created.

    Args:
        folder: an existing repository, or where to create one.
        name: its name in messages; by default the path of the folder.

    Example:
        >>> bundled = ModelRepository(BUNDLED)
        >>> bundled.config.backbone, list(bundled.config.variants)
        ('efficientnet_lite0', ['pretrained', 'random'])
    """

    def __init__(self, folder: str | Path, name: str | None = None):
        self.folder = Path(folder)
        self.name = name or str(folder)

    @cached_property
    def config(self) -> Config:
        """config.json, read once.

        Raises:
            InputError: the file is missing or malformed, or its format or backbone is unknown.
        """
        return self._read(CONFIG_FILE, Config)

    def metrics(self) -> Metrics:
        """Read metrics.json.

        Raises:
            InputError: the file is missing or malformed.
        """
        return self._read(METRICS_FILE, Metrics)

    def history(self, variant: str) -> list[EpochRecord]:
        """Read one record per epoch of training.

        Raises:
            InputError: the file is missing or malformed.
        """
        return self._read(f"{variant}/{HISTORY_FILE}", list[EpochRecord])

    @property
    def card(self) -> Path:
        """Path of the model card."""
        return self.folder / CARD_FILE

    @property
    def worst_photos(self) -> Path:
        """Path of the figure of the photos with the lowest scores. It shows people, so it is never pushed."""
        return self.folder / "worst.png"

    def weights(self, variant: str) -> Path:
        """Path of a variant's weights."""
        return self.folder / variant / WEIGHTS_FILE

    def onnx(self, variant: str) -> Path:
        """Path of a variant's ONNX file, which is optional; `hairseg.repository.export` writes it."""
        return self.folder / variant / ONNX_FILE

    def figure(self, name: str) -> Path:
        """Path of a figure, a name such as "figure3"."""
        return self.folder / FIGURES_FOLDER / f"{name}.png"

    def weight_bytes(self) -> int:
        """Return the size of all variants' weight files, in bytes."""
        return sum(path.stat().st_size for variant in VARIANTS if (path := self.weights(variant)).is_file())

    def onnx_variants(self) -> list[str]:
        """Return the variants that have an ONNX file."""
        return [variant for variant in self.config.variants if self.onnx(variant).is_file()]

    def files(self) -> list[str]:
        """Return the names of the existing files that belong to a model repository, sorted."""
        found = (path for pattern in FILE_PATTERNS for path in self.folder.glob(pattern) if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def load_network(self, variant: str) -> DeepLabV3:
        """Load one variant, in float32 and evaluation mode.

        Raises:
            InputError: no such variant, or a file, tensor or shape is missing, broken or unexpected.
        """
        network = _meta_network(self.config.backbone)
        network.load_state_dict(self._read_weights(variant), strict=True, assign=True)
        return network.eval()

    def check(self, variants: Sequence[str]) -> None:
        """Check that variants can be served, by the headers of their weight files alone.

        Raises:
            InputError: as `validate`.
        """
        for variant in variants:
            with self._open_weights(variant):
                pass

    def validate(self) -> Config:
        """Check all that serving needs, tensor values included. The scores in metrics.json are not checked.

        Raises:
            InputError: names the first file, tensor or setting that is missing, unexpected or wrong.
        """
        for variant in self.config.variants:
            self.history(variant)
            self._read_weights(variant)
        self._read(METRICS_FILE, object)
        return self.config

    def save_config(self, config: Config) -> None:
        """Write config.json."""
        write_json(self.folder / CONFIG_FILE, config.to_json())
        self.__dict__.pop("config", None)

    def save_metrics(self, metrics: Metrics) -> None:
        """Write metrics.json."""
        write_json(self.folder / METRICS_FILE, metrics.to_json())

    def save_history(self, variant: str, history: Sequence[EpochRecord]) -> None:
        """Write one record per epoch of training."""
        write_json(self.folder / variant / HISTORY_FILE, list(history))

    def save_card(self, text: str) -> None:
        """Write the model card."""
        write_bytes(self.card, text.encode())

    def save_weights(self, variant: str, backbone: str, state: Mapping[str, torch.Tensor]) -> None:
        """Write a state dict of `DeepLabV3`: convolutions in float16, normalisation in float32."""
        half_precision = {
            f"{name}.{parameter}"
            for name, module in _meta_network(backbone).named_modules()
            if isinstance(module, nn.Conv2d)
            for parameter, _ in module.named_parameters(recurse=False)
        }
        tensors = {
            name: (tensor.half() if name in half_precision else tensor).contiguous() for name, tensor in state.items()
        }
        write_bytes(self.weights(variant), save(tensors, metadata={"format": "pt"}))

    def _read(self, name: str, expected: type[T]) -> T:
        """Read a JSON file, and check its content."""
        path, label = self.folder / name, f"{self.name}/{name}"
        if not path.is_file():
            raise InputError(
                f"{self.name} is not a HairSeg model repository: {name} is missing.",
                remedy="Give a folder written by train.py.",
            )
        try:
            return TypeAdapter(expected).validate_python(json.loads(path.read_text(encoding="utf-8-sig")))
        except ValidationError as error:
            raise describe(error, label) from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{label} is not valid JSON ({summarise(error)}).", remedy=DOWNLOAD_AGAIN) from None

    @contextmanager
    def _open_weights(self, variant: str) -> Iterator[safe_open]:
        """Open a variant's weights after checking names, shapes and dtypes of the tensors."""
        if variant not in self.config.variants:
            available = ", ".join(self.config.variants)
            raise InputError(f"{self.name} has no {variant!r} variant.", remedy=f"It has {available}.")
        label = f"{self.name}/{variant}/{WEIGHTS_FILE}"
        if not self.weights(variant).is_file():
            raise InputError(f"{label} is missing.", remedy=DOWNLOAD_AGAIN)
        try:
            with safe_open(self.weights(variant), "pt") as file:
                slices = {name: file.get_slice(name) for name in file.offset_keys()}
                found = {name: (tensor.get_shape(), tensor.get_dtype()) for name, tensor in slices.items()}
                _check_tensors(label, self.config.backbone, found)
                yield file
        except (SafetensorError, OSError) as error:
            with suppress(OSError), self.weights(variant).open("rb") as file:
                if file.read(len(LFS_POINTER)) == LFS_POINTER:
                    raise InputError(f"{label} is a Git LFS pointer.", remedy="Run `git lfs pull` there.") from None
            raise InputError(
                f"{label} is not a complete safetensors file ({summarise(error)}).", remedy=DOWNLOAD_AGAIN
            ) from None

    def _read_weights(self, variant: str) -> dict[str, torch.Tensor]:
        """Load one variant's tensors; floating-point ones are converted to float32."""
        with self._open_weights(variant) as file:
            state = {name: file.get_tensor(name) for name in file.offset_keys()}
        state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        for name, tensor in state.items():
            problem = None
            if not tensor.isfinite().all():
                problem = "infinite or NaN values"
            elif name.endswith("running_var") and (tensor < 0).any():
                problem = "negative variances"
            if problem:
                label = f"{self.name}/{variant}/{WEIGHTS_FILE}"
                raise InputError(f"{label} has {problem} in the tensor {name!r}.", remedy="Train the variant again.")
        return state


def is_repository_file(name: str, patterns: Sequence[str] = FILE_PATTERNS) -> bool:
    """Return whether a file of this name, relative to the folder, belongs to a model repository.

    Args:
        name: "/" separates the folders.
        patterns: `FILE_PATTERNS` for all files, `SERVING_FILES` for those that serving needs.
    """
    return name.count("/") <= 1 and any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_tensors(label: str, backbone: str, found: Mapping[str, tuple[list[int], str]]) -> None:
    """Compare names, shapes and dtypes with those of the network, before any tensor is read."""
    expected = _expected_tensors(backbone)
    for problem, names in (
        ("lacks the tensor", expected.keys() - found.keys()),
        ("has the unknown tensor", found.keys() - expected.keys()),
    ):
        if names:
            raise InputError(f"{label} {problem} {quote(min(names))}.", remedy=f"It must hold a {backbone} network.")
    for name, (shape, dtypes) in expected.items():
        found_shape, dtype = found[name]
        if found_shape != shape or dtype not in dtypes:
            raise InputError(
                f"{label} has the tensor {name!r} of type {dtype} and shape {quote(found_shape)}.",
                remedy=f"With {backbone} it must be {' or '.join(dtypes)} of shape {shape}.",
            )


def _meta_network(backbone: str) -> DeepLabV3:
    with torch.device("meta"):
        return build_model(backbone)


@cache
def _expected_tensors(backbone: str) -> dict[str, tuple[list[int], tuple[str, ...]]]:
    """Shape and possible dtypes of each tensor, the dtypes by the names of safetensors."""
    return {
        name: (list(tensor.shape), FLOAT_DTYPES if tensor.is_floating_point() else ("I64",))
        for name, tensor in _meta_network(backbone).state_dict().items()
    }
