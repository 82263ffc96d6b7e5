"""The model repository on disk. No other module builds the names of its files.

README.md  config.json  metrics.json  figures/*.png
{pretrained,random}/model.safetensors  {pretrained,random}/history.json  {pretrained,random}/model.onnx
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
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

FETCH_AGAIN = "Fetch the repository again."

_HISTORY = TypeAdapter(list[EpochRecord])


class ModelRepository:
    """A folder with the trained variants of a network: weights, settings, scores and training history.

    Everything read is checked. Files are written atomically, and missing folders are created.

    Args:
        folder: an existing repository, or where to create one.

    Example:
        >>> bundled = ModelRepository(BUNDLED)
        >>> bundled.config.backbone, list(bundled.config.variants)
        ('efficientnet_lite0', ['pretrained', 'random'])
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    @cached_property
    def config(self) -> Config:
        """config.json, read once.

        Raises:
            InputError: the file is missing or malformed, has another format, or needs a newer version.
        """
        return Config.from_json(self._read_json(CONFIG_FILE), str(self.folder / CONFIG_FILE))

    def metrics(self) -> Metrics:
        """Read metrics.json; malformed scores are left out.

        Raises:
            InputError: the file is missing or is not JSON.
        """
        return Metrics.from_json(self._read_json(METRICS_FILE))

    def history(self, variant: str) -> list[EpochRecord]:
        """Read one record per epoch of training.

        Raises:
            InputError: the file is missing or malformed.
        """
        name = f"{variant}/{HISTORY_FILE}"
        try:
            return _HISTORY.validate_python(self._read_json(name))
        except ValidationError as error:
            raise describe(error, str(self.folder / name)) from None

    @property
    def card(self) -> Path:
        """Path of the model card."""
        return self.folder / CARD_FILE

    @property
    def worst_photos(self) -> Path:
        """Path of the picture of the photos with the lowest scores. It shows photos, so it is never pushed."""
        return self.folder / "worst.png"

    def weights(self, variant: str) -> Path:
        """Path of a variant's weights."""
        return self.folder / variant / WEIGHTS_FILE

    def onnx(self, variant: str) -> Path:
        """Path of a variant's ONNX file, which few repositories have; see `hairseg.repository.export`."""
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
            self._check_weights(variant)

    def validate(self) -> Config:
        """Check the whole repository, tensor values included.

        Raises:
            InputError: names the first file, tensor or setting that is missing, unexpected or wrong.
        """
        if not self.folder.is_dir():
            raise InputError(f"{self.folder} is not a folder.", remedy="Give a model repository written by train.py.")
        self.metrics()
        for variant in self.config.variants:
            self.history(variant)
            self._read_weights(variant)
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
        halved = {
            f"{name}.{parameter}"
            for name, module in _meta_network(backbone).named_modules()
            if isinstance(module, nn.Conv2d)
            for parameter, _ in module.named_parameters(recurse=False)
        }
        tensors = {name: (tensor.half() if name in halved else tensor).contiguous() for name, tensor in state.items()}
        write_bytes(self.weights(variant), save(tensors, metadata={"format": "pt"}))

    def _read_json(self, name: str) -> object:
        path = self.folder / name
        if not path.is_file():
            raise InputError(
                f"{path.parent} is not a HairSeg model repository: {path.name} is missing.",
                remedy="Give a folder written by train.py.",
            )
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path} is not valid JSON ({summarise(error)}).", remedy=FETCH_AGAIN) from None

    def _check_weights(self, variant: str) -> Path:
        """Return the path of a variant's weights, whose tensors have the network's names, shapes and dtypes."""
        if variant not in self.config.variants:
            available = ", ".join(self.config.variants)
            raise InputError(f"{self.folder} has no {variant!r} variant.", remedy=f"It has {available}.")
        path = self.weights(variant)
        if not path.is_file():
            raise InputError(f"{path} is missing.", remedy=FETCH_AGAIN)
        with _refuse_broken(path), safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}
            found = {name: (tensor.get_shape(), tensor.get_dtype()) for name, tensor in slices.items()}
        _check_tensors(path, self.config.backbone, found)
        return path

    def _read_weights(self, variant: str) -> dict[str, torch.Tensor]:
        """Load one variant's tensors, floating ones in float32."""
        path = self._check_weights(variant)
        with _refuse_broken(path):
            state = load_file(path)
        state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        for name, tensor in state.items():
            if not tensor.isfinite().all():
                raise InputError(
                    f"{path} has infinite or NaN values in the tensor {name!r}.",
                    remedy="Train it again with a smaller learning rate.",
                )
            if name.endswith("running_var") and (tensor < 0).any():
                raise InputError(f"{path} has negative variances in the tensor {name!r}.", remedy=FETCH_AGAIN)
        return state


def is_repository_file(name: str) -> bool:
    """Return whether a file of this name, relative to the folder, belongs to a model repository."""
    return any(fnmatchcase(name, pattern) for pattern in FILE_PATTERNS) and name.count("/") <= 1


@contextmanager
def _refuse_broken(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is not a complete safetensors file ({summarise(error)}).", remedy=FETCH_AGAIN
        ) from None


def _check_tensors(path: Path, backbone: str, found: Mapping[str, tuple[list[int], str]]) -> None:
    """Compare names, shapes and dtypes with those of the network, before any tensor is read."""
    expected = _expected_tensors(backbone)
    for problem, names in (
        ("lacks the tensor", expected.keys() - found.keys()),
        ("has the unknown tensor", found.keys() - expected.keys()),
    ):
        if names:
            raise InputError(f"{path} {problem} {quote(min(names))}.", remedy=f"It must hold a {backbone} network.")
    for name, (shape, is_floating) in expected.items():
        found_shape, dtype = found[name]
        if found_shape != shape:
            raise InputError(
                f"{path} has the tensor {name!r} of shape {quote(found_shape)}.",
                remedy=f"With {backbone} it must be {shape}.",
            )
        dtypes = FLOAT_DTYPES if is_floating else ("I64",)
        if dtype not in dtypes:
            raise InputError(
                f"{path} has the tensor {name!r} of type {dtype}.", remedy=f"It must be {' or '.join(dtypes)}."
            )


def _meta_network(backbone: str) -> DeepLabV3:
    with torch.device("meta"):
        return build_model(backbone)


@cache
def _expected_tensors(backbone: str) -> dict[str, tuple[list[int], bool]]:
    state = _meta_network(backbone).state_dict()
    return {name: (list(tensor.shape), tensor.is_floating_point()) for name, tensor in state.items()}
