"""The model repository on disk, and the only owner of its files' names.

README.md  config.json  metrics.json  figures/*.png
{pretrained,random}/model.safetensors  {pretrained,random}/history.json  {pretrained,random}/model.onnx
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from hairseg.errors import InputError, quote, summarise
from hairseg.files import write_bytes, write_json
from hairseg.networks.backbones import build_model
from hairseg.networks.deeplab import DeepLabV3
from hairseg.paper import VARIANTS
from hairseg.repository.config import Config

CONFIG, METRICS, CARD = "config.json", "metrics.json", "README.md"
WEIGHTS, HISTORY, ONNX = "model.safetensors", "history.json", "model.onnx"  # of a variant, in the folder of its name
FIGURES = "figures"
WORST = "worst.png"  # which is not pushed: it shows photos

NEEDED = [CONFIG, METRICS, *(f"{variant}/{name}" for variant in VARIANTS for name in (WEIGHTS, HISTORY))]  # to serve

ALL = [CARD, *NEEDED, *(f"{variant}/{ONNX}" for variant in VARIANTS), f"{FIGURES}/*.png"]

BUNDLED = Path(__file__).parents[1] / "bundled"

FLOATING = ("F16", "BF16", "F32", "F64")  # kinds of tensors, as safetensors calls them


class ModelRepository:
    """A folder with both variants of a network, and all that is known of them.

    Reading checks what it reads; writing replaces a file whole or not at all, and makes the folders.

    Args:
        folder: where it lies, or shall lie.

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
            InputError: it is missing, malformed, of another format, or names what this version does not know.
        """
        return Config.from_json(self._read_json(CONFIG), str(self.folder / CONFIG))

    def metrics(self) -> dict:
        """The scores that evaluate.py writes. Raises InputError when the file is missing or malformed."""
        return self._read_json(METRICS)

    def history(self, variant: str) -> list[dict]:
        """One record per epoch of training. Raises InputError when the file is missing or malformed."""
        return self._read_json(f"{variant}/{HISTORY}")

    @property
    def card(self) -> Path:
        return self.folder / CARD

    def weights(self, variant: str) -> Path:
        return self.folder / variant / WEIGHTS

    def bytes_of_weights(self) -> int:
        """Of all variants that are there."""
        return sum(path.stat().st_size for variant in VARIANTS if (path := self.weights(variant)).is_file())

    def onnx(self, variant: str) -> Path:
        """Where `hairseg.repository.export` puts what runs without PyTorch; most repositories have none."""
        return self.folder / variant / ONNX

    def onnx_variants(self) -> list[str]:
        """The variants that have been exported."""
        return [variant for variant in self.config.variants if self.onnx(variant).is_file()]

    def figure(self, name: str) -> Path:
        return self.folder / FIGURES / f"{name}.png"

    @property
    def worst(self) -> Path:
        """Where evaluate.py draws the photos that it scores lowest."""
        return self.folder / WORST

    def files(self) -> list[str]:
        """Names of the files that belong to a model repository and are there, sorted."""
        found = (path for pattern in ALL for path in self.folder.glob(pattern) if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def load_network(self, variant: str) -> DeepLabV3:
        """Load one variant, in float32 and evaluation mode.

        Raises:
            InputError: no such variant, or a file, tensor or shape that is missing, broken or extra (it is named).
        """
        network = _empty_network(self.config.backbone)
        network.load_state_dict(self._read_weights(variant), strict=True, assign=True)
        return network.eval()

    def check(self, variants: Sequence[str]) -> None:
        """Check that these variants can be served, as far as that shows without reading a tensor's values.

        Raises:
            InputError: as `validate`.
        """
        for variant in variants:
            self._check_weights(variant)

    def validate(self) -> Config:
        """Check the whole repository.

        Raises:
            InputError: names the first file, tensor or setting that is missing, extra or wrong.
        """
        if not self.folder.is_dir():
            raise InputError(f"{self.folder} is not a folder", "a HairSeg model repository as train.py writes it")
        config = self.config
        self.metrics()
        for variant in config.variants:
            self.history(variant)
            self._read_weights(variant)
        return config

    def save_config(self, config: Config) -> None:
        write_json(self.folder / CONFIG, config.to_json())
        self.__dict__.pop("config", None)

    def save_metrics(self, metrics: dict) -> None:
        write_json(self.folder / METRICS, metrics)

    def save_history(self, variant: str, history: list[dict]) -> None:
        write_json(self.folder / variant / HISTORY, history)

    def save_card(self, text: str) -> None:
        write_bytes(self.card, text.encode())

    def save_weights(self, variant: str, backbone: str, state: dict[str, torch.Tensor]) -> None:
        """Write a state dict of `DeepLabV3`: convolutions in half precision, normalisation in float32."""
        halved = {
            f"{name}.{parameter}"
            for name, module in _empty_network(backbone).named_modules()
            if isinstance(module, nn.Conv2d)
            for parameter, _ in module.named_parameters(recurse=False)
        }
        tensors = {name: (tensor.half() if name in halved else tensor).contiguous() for name, tensor in state.items()}
        write_bytes(self.weights(variant), save(tensors, metadata={"format": "pt"}))

    def _read_json(self, name: str):
        path = self.folder / name
        if not path.is_file():
            raise InputError(
                f"{path.parent} is no HairSeg model repository: {path.name} is missing", "what train.py writes"
            )
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            fault = summarise(error)
            raise InputError(f"{path} is not valid JSON ({fault})", "what train.py writes", "fetch it again") from None

    def _check_weights(self, variant: str) -> Path:
        """The file of one variant's weights, whose tensors have the names, shapes and kinds of the network's."""
        if variant not in self.config.variants:
            raise InputError(f"{self.folder} has no {variant!r} variant", f"one of {', '.join(self.config.variants)}")
        path = self.weights(variant)
        if not path.is_file():
            raise InputError(
                f"{path} is missing", f"the weights of the {variant} variant", "fetch the repository again"
            )
        with _whole(path), safe_open(path, "pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}
            found = {name: (cut.get_shape(), cut.get_dtype()) for name, cut in slices.items()}
        _check_tensors(path, self.config.backbone, found)
        return path

    def _read_weights(self, variant: str) -> dict[str, torch.Tensor]:
        """The tensors of one variant, floating ones in float32."""
        path = self._check_weights(variant)
        with _whole(path):
            state = load_file(path)
        state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        for name, tensor in state.items():
            if not tensor.isfinite().all() or (name.endswith("running_var") and (tensor < 0).any()):
                raise InputError(
                    f"{path} has values in the tensor {name!r} that no network computes with",
                    "finite numbers, and variances that are not negative",
                    "train it again, with a smaller learning rate",
                )
        return state


def is_known(name: str) -> bool:
    """Whether a file of this name belongs to a model repository."""
    return any(fnmatchcase(name, pattern) for pattern in ALL) and name.count("/") <= 1


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is no whole safetensors file ({summarise(error)})", remedy="fetch the repository again"
        ) from None


def _check_tensors(path: Path, backbone: str, found: dict[str, tuple[list[int], str]]) -> None:
    """Compare names, shapes and kinds with those of the network, before any tensor is read."""
    expected = _expected_tensors(backbone)
    for problem, names in (
        ("lacks the tensor", expected.keys() - found.keys()),
        ("has the unknown tensor", found.keys() - expected.keys()),
    ):
        if names:
            raise InputError(f"{path} {problem} {quote(min(names))}", f"the tensors of {backbone}, no more and no less")
    for name, (shape, floating) in expected.items():
        found_shape, found_kind = found[name]
        if found_shape != shape:
            raise InputError(f"{path} has the tensor {name!r} of shape {quote(found_shape)}", f"{shape} for {backbone}")
        kinds = FLOATING if floating else ("I64",)
        if found_kind not in kinds:
            raise InputError(f"{path} has the tensor {name!r} of kind {found_kind}", f"one of {', '.join(kinds)}")


def _empty_network(backbone: str) -> DeepLabV3:
    with torch.device("meta"):
        return build_model(backbone)


@cache
def _expected_tensors(backbone: str) -> dict[str, tuple[list[int], bool]]:
    state = _empty_network(backbone).state_dict()
    return {name: (list(tensor.shape), tensor.is_floating_point()) for name, tensor in state.items()}
