"""The model repository on disk: save, validate, load.

README.md  config.json  metrics.json  figures/*.png
{pretrained,random}/model.safetensors  {pretrained,random}/history.json
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from hairseg.errors import InputError
from hairseg.networks.backbones import BACKBONES, build_model
from hairseg.networks.deeplab import DeepLabV3
from hairseg.networks.preset import Preset

FORMAT = 1

ARCHITECTURE = "DeepLabV3"

BUNDLED = Path(__file__).parent / "bundled"

VARIANTS = ("pretrained", "random")  # what the paper compares

NEEDED = [
    "config.json",
    "metrics.json",
    *(f"{variant}/{name}" for variant in VARIANTS for name in ("model.safetensors", "history.json")),
]

ALL = ["README.md", *NEEDED, "figures/*.png"]


@dataclass(frozen=True)
class Config:
    """config.json: what serving needs to know, and how each variant came about."""

    backbone: str  # a name in model.BACKBONES
    output_stride: int  # input pixels per cell of the backbone's feature map
    image_size: int  # side of the network's square input, in pixels
    mean: tuple[float, float, float]  # per RGB channel, of values in [0, 1]
    std: tuple[float, float, float]
    threshold: float  # alpha from which a pixel of a mask is hair
    variants: dict[str, dict]  # "pretrained" and "random": init, recipe, data, versions and more
    format: int = FORMAT
    architecture: str = ARCHITECTURE

    @property
    def preset(self) -> Preset:
        return Preset(self.image_size, tuple(self.mean), tuple(self.std))


def write_json(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path):
    """Raises InputError when the file is missing or is no JSON."""
    if not path.is_file():
        raise InputError(
            f"{path.parent} is no HairSeg model repository: {path.name} is missing; expected what train.py writes."
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is not valid JSON ({error}): expected what train.py writes; fetch it again."
        ) from None


def save_config(folder: Path, config: Config) -> None:
    write_json(folder / "config.json", asdict(config))


def load_config(folder: str | Path) -> Config:
    """Read and check config.json.

    Raises:
        InputError: the file is missing, malformed, of another format, or names what this version does not know.
    """
    path = Path(folder) / "config.json"
    content = read_json(path)
    expected = {name for name in Config.__dataclass_fields__}
    if not isinstance(content, dict) or content.get("architecture") != ARCHITECTURE:
        raise InputError(f"{path} does not describe a HairSeg model: expected architecture {ARCHITECTURE!r}.")
    if content.get("format") != FORMAT:
        raise InputError(
            f"{path} has format {content.get('format')!r}: expected {FORMAT}; install the version of HairSeg that wrote it."
        )
    if content.keys() != expected:
        wrong = ", ".join(sorted(content.keys() ^ expected))
        raise InputError(f"{path} has missing or unknown settings ({wrong}): expected what train.py writes.")
    if content["backbone"] not in BACKBONES:
        raise InputError(f"{path} names the backbone {content['backbone']!r}: expected one of {', '.join(BACKBONES)}.")
    if content["output_stride"] != BACKBONES[content["backbone"]].output_stride:
        raise InputError(
            f"{path} names the output stride {content['output_stride']!r}: expected "
            f"{BACKBONES[content['backbone']].output_stride} for {content['backbone']}."
        )
    for name in ("mean", "std"):
        values = content[name]
        if not (isinstance(values, list) and len(values) == 3 and all(isinstance(v, (int, float)) for v in values)):
            raise InputError(f"{path} has the {name} {values!r}: expected three numbers.")
    if not isinstance(content["threshold"], (int, float)) or not 0 < content["threshold"] < 1:
        raise InputError(f"{path} has the threshold {content['threshold']!r}: expected a number between 0 and 1.")
    if not isinstance(content["image_size"], int):
        raise InputError(f"{path} has the image size {content['image_size']!r}: expected a whole number of pixels.")
    variants = content["variants"]
    if not isinstance(variants, dict) or not variants or not variants.keys() <= set(VARIANTS):
        raise InputError(f"{path} has the variants {variants!r}: expected {' or '.join(VARIANTS)}, or both.")
    config = Config(**content | {"mean": tuple(content["mean"]), "std": tuple(content["std"])})
    config.preset  # checks the image size
    return config


def weights_path(folder: str | Path, variant: str) -> Path:
    return Path(folder) / variant / "model.safetensors"


def save_weights(folder: Path, variant: str, backbone: str, weights: dict[str, torch.Tensor]) -> None:
    """Write a state dict of `DeepLabV3`: convolutions in half precision, normalisation in float32."""
    network = _empty_network(backbone)
    halved = {
        f"{name}.{parameter}"
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
        for parameter, _ in module.named_parameters(recurse=False)
    }
    path = weights_path(folder, variant)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: (tensor.half() if name in halved else tensor).contiguous() for name, tensor in weights.items()},
        path,
        metadata={"format": "pt"},
    )


def load_network(folder: str | Path, variant: str) -> DeepLabV3:
    """Load one variant, in float32 and evaluation mode.

    Raises:
        InputError: no such variant, or a file, tensor or shape that is missing, broken or extra (it is named).
    """
    config = load_config(folder)
    _check_weights(folder, variant, config)
    network = _empty_network(config.backbone)
    state = load_file(weights_path(folder, variant))
    state = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval()


def validate(folder: str | Path) -> Config:
    """Check a whole repository without loading its weights into memory.

    Raises:
        InputError: names the first file, tensor or setting that is missing, extra or wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: expected a HairSeg model repository as train.py writes it.")
    config = load_config(folder)
    read_json(folder / "metrics.json")
    for variant in config.variants:
        read_json(folder / variant / "history.json")
        _check_weights(folder, variant, config)
    return config


def _empty_network(backbone: str) -> DeepLabV3:
    with torch.device("meta"):
        return build_model(backbone)


@cache
def _expected_shapes(backbone: str) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in _empty_network(backbone).state_dict().items()}


def _check_weights(folder: str | Path, variant: str, config: Config) -> None:
    if variant not in config.variants:
        raise InputError(f"{folder} has no {variant!r} variant: expected one of {', '.join(config.variants)}.")
    path = weights_path(folder, variant)
    if not path.is_file():
        raise InputError(
            f"{path} is missing: expected the weights of the {variant} variant; fetch the repository again."
        )
    expected = _expected_shapes(config.backbone)
    try:
        with safe_open(path, "pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is no whole safetensors file ({error}): fetch the repository again.") from None
    for problem, names in (
        ("lacks the tensor", expected.keys() - found.keys()),
        ("has the unknown tensor", found.keys() - expected.keys()),
    ):
        if names:
            raise InputError(
                f"{path} {problem} {min(names)!r}: expected the tensors of {config.backbone}, no more and no less."
            )
    for name, shape in expected.items():
        if found[name] != shape:
            raise InputError(
                f"{path} has the tensor {name!r} of shape {found[name]}: expected {shape} for {config.backbone}."
            )


def known_files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for pattern in ALL for path in folder.glob(pattern) if path.is_file()
    )
