"""config.json of a model repository: what serving needs, and how each variant was trained."""

from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from hairseg.errors import InputError, quote, raise_if_unknown
from hairseg.networks.backbones import BACKBONES
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import VARIANTS
from hairseg.repository.records import Count, Fraction, Name, Number, Record

Std = Annotated[float, Field(strict=True, ge=0.01, le=10)]


def _rename_recipe(recipe: object) -> object:
    return "finetune" if recipe == "further" else recipe  # its name in versions 0.2 to 0.10


class TestedEpoch(Record):
    """The epoch with the best AUROC on test photos, which the paper would report."""

    epoch: Count
    auroc: Fraction


class Blend(Record):
    """An interpolation after the last training, which reduces forgetting.

    M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.

    Attributes:
        fraction: weight of the weights of an earlier training.
        trainings: how many trainings earlier.
    """

    fraction: Fraction
    trainings: Count


class VariantConfig(Record, extra="allow"):
    """How a variant was trained: initial weights, recipe, data, selected epoch, machine and versions.

    A field is None where the version that trained the variant did not record it. Settings of the recipe that are not
    listed here are kept, too.

    Attributes:
        images: number of photos by split; "scenes" counts training photos without people.
        started_from: how the variant was trained whose weights were the initial ones.
        blend: how its weights were interpolated with earlier ones, by `scripts/blend.py`.
    """

    init: str | None = None
    recipe: Annotated[Name | None, BeforeValidator(_rename_recipe)] = None
    epochs: Count | None = None
    learning_rate: Number | None = None
    batch_size: Count | None = None
    image_size: Count | None = None
    loss: str | None = None
    optimiser: str | None = None
    schedule: str | None = None
    seed: int | None = None
    datasets: list[Name] = Field(default_factory=list)
    images: dict[str, Count] = Field(default_factory=dict)
    split: JsonValue = None
    best_epoch: Count | None = None
    selected_by: str | None = None
    best_test_epoch: TestedEpoch | None = None
    seconds: Number | None = None
    device: str | None = None
    command: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    started_from: "VariantConfig | None" = None
    blend: Blend | None = None

    def stages(self) -> "list[VariantConfig]":
        """Return the trainings that led to this variant, the first one first.

        Example:
            >>> modern = VariantConfig(recipe="modern")
            >>> [stage.recipe for stage in VariantConfig(recipe="finetune", started_from=modern).stages()]
            ['modern', 'finetune']
        """
        return [*(self.started_from.stages() if self.started_from else []), self]


def _leave_out_malformed(entry: object, validate: ValidatorFunctionWrapHandler) -> VariantConfig:
    # Serving does not need the entry, and early versions wrote other types.
    try:
        return validate(entry)
    except ValidationError:
        return VariantConfig()


class Config(Record, extra="forbid"):
    """The settings in config.json.

    Attributes:
        format: version of the file's layout.
        architecture: always "DeepLabV3".
        backbone: a name in `hairseg.networks.backbones.BACKBONES`.
        output_stride: input pixels per cell of the backbone's feature map.
        image_size: side of the network's square input, in pixels.
        mean: per RGB channel, of values in [0, 1].
        std: per RGB channel, of values in [0, 1].
        threshold: alpha from which a pixel is hair.
        variants: "pretrained", "random", or both. A malformed entry is read as an empty one.
    """

    format: Literal[1]
    architecture: Literal["DeepLabV3"]
    backbone: str
    output_stride: Count
    image_size: Count
    mean: tuple[Fraction, Fraction, Fraction]
    std: tuple[Std, Std, Std]
    threshold: Annotated[float, Field(strict=True, gt=0, lt=1)]
    variants: Annotated[dict[str, Annotated[VariantConfig, WrapValidator(_leave_out_malformed)]], Field(min_length=1)]

    @classmethod
    def from_training(cls, backbone: str, preprocessing: Preprocessing, variants: dict[str, VariantConfig]) -> "Config":
        """Build the config of newly trained variants, with a threshold of 0.5.

        Example:
            >>> Config.from_training("resnet101", Preprocessing(256), {"random": VariantConfig()}).output_stride
            8
        """
        return cls(
            format=1,
            architecture="DeepLabV3",
            backbone=backbone,
            output_stride=BACKBONES[backbone].output_stride,
            image_size=preprocessing.image_size,
            mean=preprocessing.mean,
            std=preprocessing.std,
            threshold=0.5,
            variants=variants,
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos are resized and normalised for the networks."""
        return Preprocessing(self.image_size, self.mean, self.std)

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        raise_if_unknown("backbone", self.backbone, BACKBONES)
        for variant in self.variants:
            raise_if_unknown("variant", variant, VARIANTS)
        stride = BACKBONES[self.backbone].output_stride
        if self.output_stride != stride:
            raise InputError(
                f"The output stride {quote(self.output_stride)} does not fit {self.backbone}.",
                remedy=f"It must be {stride}.",
            )
        _ = self.preprocessing  # raises InputError for an unsupported image size
        return self
