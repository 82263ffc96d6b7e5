"""config.json of a model repository: what serving needs to know, and how each variant came about."""

from dataclasses import asdict, dataclass

from hairseg.errors import InputError, quote
from hairseg.networks.backbones import BACKBONES
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import VARIANTS

FORMAT = 1

ARCHITECTURE = "DeepLabV3"


@dataclass(frozen=True)
class Config:
    """The settings in config.json."""

    backbone: str  # a name in hairseg.networks.backbones.BACKBONES
    output_stride: int  # input pixels per cell of the backbone's feature map
    image_size: int  # side of the network's square input, in pixels
    mean: tuple[float, float, float]  # per RGB channel, of values in [0, 1]
    std: tuple[float, float, float]
    threshold: float  # alpha from which a pixel of a mask is hair
    variants: dict[str, dict]  # "pretrained" and "random": init, recipe, data, versions and more
    format: int = FORMAT
    architecture: str = ARCHITECTURE

    @classmethod
    def of(cls, backbone: str, preprocessing: Preprocessing, variants: dict[str, dict]) -> "Config":
        """What training writes: masks of networks with that backbone are thresholded at 0.5.

        Example:
            >>> Config.of("resnet101", Preprocessing(256), {}).output_stride
            8
        """
        stride = BACKBONES[backbone].output_stride
        return cls(backbone, stride, preprocessing.image_size, preprocessing.mean, preprocessing.std, 0.5, variants)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(self.image_size, self.mean, self.std)

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, content: object, name: str) -> "Config":
        """Check what was read from a config.json.

        Args:
            content: as json.load gives it.
            name: of the file, for messages.

        Raises:
            InputError: another format, or a setting that is missing, unknown or wrong (it is named).
        """
        if not isinstance(content, dict) or content.get("architecture") != ARCHITECTURE:
            raise InputError(f"{name} does not describe a HairSeg model", f"architecture {ARCHITECTURE!r}")
        if content.get("format") != FORMAT:
            found = quote(content.get("format"))
            raise InputError(f"{name} has format {found}", str(FORMAT), "install the version of HairSeg that wrote it")
        unexpected = content.keys() ^ cls.__dataclass_fields__.keys()
        if unexpected:
            names = quote(sorted(unexpected)).strip("[]")
            raise InputError(f"{name} has missing or unknown settings ({names})", "what train.py writes")

        def check(setting: str, fits: bool, expected: str) -> None:
            if not fits:
                raise InputError(f"{name} has the {setting.replace('_', ' ')} {quote(content[setting])}", expected)

        backbone = content["backbone"]
        check("backbone", isinstance(backbone, str) and backbone in BACKBONES, f"one of {', '.join(BACKBONES)}")
        stride = BACKBONES[backbone].output_stride
        check("output_stride", content["output_stride"] == stride, f"{stride} for {backbone}")
        check("mean", _are_numbers(content["mean"], 0, 1), "three numbers from 0 to 1")
        check("std", _are_numbers(content["std"], 0.01, 10), "three numbers from 0.01 to 10")
        threshold = content["threshold"]
        check("threshold", _is_number(threshold) and 0 < threshold < 1, "a number between 0 and 1")
        check("image_size", type(content["image_size"]) is int, "a whole number of pixels")
        variants = content["variants"]
        known = isinstance(variants, dict) and variants and variants.keys() <= set(VARIANTS)
        check("variants", bool(known), f"{' or '.join(VARIANTS)}, or both")
        check("variants", all(isinstance(entry, dict) for entry in variants.values()), "how each of them was trained")
        settings: dict = content | {"mean": tuple(content["mean"]), "std": tuple(content["std"])}
        config = cls(**settings)
        try:
            config.preprocessing  # noqa: B018 (checks the image size)
        except InputError as error:
            raise InputError(f"{name} cannot be used because {error.problem}", error.expected, error.remedy) from None
        return config


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def _are_numbers(values: object, low: float, high: float) -> bool:
    return isinstance(values, list) and len(values) == 3 and all(_is_number(v) and low <= v <= high for v in values)
