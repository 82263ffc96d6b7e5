"""config.json of a model repository: what serving needs, and how each variant was trained."""

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from hairseg.errors import InputError, quote
from hairseg.networks.backbones import BACKBONES
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import VARIANTS
from hairseg.repository.records import LENIENT, Count, Fraction, Name, Number, Record, describe

FORMAT = 1

ARCHITECTURE = "DeepLabV3"

SplitSize = Annotated[int, Field(strict=True, ge=0, lt=10**9)]

Std = Annotated[float, Field(strict=True, ge=0.01, le=10)]


def _rename_recipe(recipe: object) -> object:
    return "finetune" if recipe == "further" else recipe  # its name in versions 0.2 to 0.10


class SplitSizes(Record):
    """Number of photos in each split; `scenes` counts training photos without people."""

    train: SplitSize | None = None
    val: SplitSize | None = None
    test: SplitSize | None = None
    scenes: SplitSize | None = None


class TestedEpoch(Record):
    """The epoch with the best AUROC on test photos, which the paper would report."""

    epoch: Count | None = None
    auroc: Fraction | None = None


class VariantConfig(Record):
    """How a variant was trained: weights it started from, recipe, data, epoch kept, machine, versions.

    A field is None where the version that trained the variant did not record it.
    """

    model_config = ConfigDict(extra="allow")

    init: str | None = None
    recipe: Annotated[Name | None, BeforeValidator(_rename_recipe)] = None
    epochs: Count | None = None
    learning_rate: Number | None = None
    batch_size: Count | None = None
    image_size: Count | None = None
    precision: str | None = None
    loss: str | None = None
    optimiser: str | None = None
    weight_decay: Number | None = None
    schedule: str | None = None
    ema_decay: Fraction | None = None
    low_res_fraction: Fraction | None = None
    serve_scale: Number | None = None
    augmentation: dict[str, object] | None = None
    final_phase_fraction: Fraction | None = None
    final_augmentation: dict[str, object] | None = None
    init_blend: Fraction | None = None
    seed: int | None = None
    datasets: list[Name] = Field(default_factory=list)
    weights: dict[str, Number] = Field(default_factory=dict)
    images: SplitSizes = Field(default_factory=SplitSizes)
    split: str | None = None
    best_epoch: Count | None = None
    selected_by: str | None = None
    best_test_epoch: TestedEpoch | None = None
    seconds: Number | None = None
    device: str | None = None
    command: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    started_from: "VariantConfig | None" = None

    def stages(self) -> "list[VariantConfig]":
        """Return the trainings that led to this variant, the first one first.

        Example:
            >>> modern = VariantConfig(recipe="modern")
            >>> [stage.recipe for stage in VariantConfig(recipe="finetune", started_from=modern).stages()]
            ['modern', 'finetune']
        """
        return [*(self.started_from.stages() if self.started_from else []), self]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class Config:
    """The settings in config.json.

    Attributes:
        backbone: a name in `hairseg.networks.backbones.BACKBONES`.
        output_stride: input pixels per cell of the backbone's feature map.
        image_size: side of the network's square input, in pixels.
        mean: per RGB channel, of values in [0, 1].
        std: per RGB channel, of values in [0, 1].
        threshold: alpha from which a pixel is hair.
        variants: "pretrained", "random", or both.
        format: version of the file's layout.
        architecture: always "DeepLabV3".
    """

    backbone: str
    output_stride: Annotated[int, Field(strict=True)]
    image_size: Annotated[int, Field(strict=True)]
    mean: tuple[Fraction, Fraction, Fraction]
    std: tuple[Std, Std, Std]
    threshold: Annotated[float, Field(strict=True, gt=0, lt=1)]
    variants: dict[str, VariantConfig]
    format: int = FORMAT
    architecture: str = ARCHITECTURE

    @classmethod
    def from_training(cls, backbone: str, preprocessing: Preprocessing, variants: dict[str, VariantConfig]) -> "Config":
        """Build the config of newly trained variants, with a threshold of 0.5.

        Example:
            >>> Config.from_training("resnet101", Preprocessing(256), {}).output_stride
            8
        """
        stride = BACKBONES[backbone].output_stride
        return cls(backbone, stride, preprocessing.image_size, preprocessing.mean, preprocessing.std, 0.5, variants)

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos are resized and normalised for the networks."""
        return Preprocessing(self.image_size, self.mean, self.std)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the settings as `json.dump` takes them."""
        fields = _ADAPTER.dump_python(self, mode="json")
        return fields | {"variants": {variant: entry.to_json() for variant, entry in self.variants.items()}}

    @classmethod
    def from_json(cls, content: object, name: str) -> "Config":
        """Check the content of a config.json. Keys of older versions are accepted.

        Settings that serving needs are checked strictly. Of how a variant was trained, malformed fields are left out.

        Args:
            content: as `json.load` returns it.
            name: of the file, for messages.

        Raises:
            InputError: another format, or a setting is missing, unknown or wrong.
        """
        if not isinstance(content, dict) or content.get("architecture") != ARCHITECTURE:
            raise InputError(
                f"{name} does not describe a HairSeg model.", remedy=f"Its architecture must be {ARCHITECTURE!r}."
            )
        if content.get("format") != FORMAT:
            raise InputError(
                f"{name} has format {quote(content.get('format'))}; this version reads format {FORMAT}.",
                remedy="Install the version of HairSeg that wrote it.",
            )
        try:
            config = _ADAPTER.validate_python(content, context=LENIENT)
        except ValidationError as error:
            raise describe(error, name) from None
        if config.backbone not in BACKBONES:
            raise InputError(
                f"{name} has the backbone {quote(config.backbone)}.",
                remedy=f"This version has {', '.join(BACKBONES)}.",
            )
        stride = BACKBONES[config.backbone].output_stride
        if config.output_stride != stride:
            raise InputError(
                f"{name} has the output stride {quote(config.output_stride)}.",
                remedy=f"With {config.backbone} it must be {stride}.",
            )
        if not config.variants or not config.variants.keys() <= set(VARIANTS):
            raise InputError(
                f"{name} has the variants {quote(list(config.variants))}.",
                remedy=f"They must be {' or '.join(VARIANTS)}, or both.",
            )
        try:
            config.preprocessing  # noqa: B018 (checks the image size)
        except InputError as error:
            raise InputError(f"{name}: {error.problem}", remedy=error.remedy) from None
        return config


_ADAPTER = TypeAdapter(Config)
