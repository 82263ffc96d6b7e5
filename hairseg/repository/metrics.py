"""metrics.json of a model repository: the scores that evaluate.py writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from hairseg.repository.records import MAX_ENTRIES, ByName, Count, Fraction, Name, Record

TOLERANCE = 5e-5  # half a unit of the last digit shown

COMPARED = ("auroc", "f1")

Rates = Annotated[list[Fraction], Field(max_length=MAX_ENTRIES)]


class Scores(Record):
    """Scores of one variant. A score is None where it is undefined or was not measured.

    Attributes:
        auroc: area under the ROC curve, all pixels pooled.
        f1: all pixels pooled, at the threshold of config.json.
        iou: all pixels pooled, at the threshold of config.json.
        mse: mean squared error of alpha.
        boundary_iou: mean over photos.
        calibration_error: expected calibration error of alpha.
        median_f1: median over photos with hair.
        false_hair: fraction of labelled pixels wrongly labelled as hair.
    """

    auroc: Fraction | None = None
    f1: Fraction | None = None
    iou: Fraction | None = None
    mse: Fraction | None = None
    boundary_iou: Fraction | None = None
    calibration_error: Fraction | None = None
    median_f1: Fraction | None = None
    false_hair: Fraction | None = None


class FullResolutionScores(Scores):
    """Scores of alphas at full resolution; `unrefined` holds those without guided-filter refinement."""

    unrefined: Scores = Scores()


class GroupScores(Record):
    """Scores of the photos of one group."""

    images: Count | None = None
    variants: ByName[Scores] = Field(default_factory=dict)


class FalseHair(Record):
    """Fraction of pixels labelled as hair in photos without people: the mean, and that of the worst photo."""

    mean: Fraction | None = None
    worst: Fraction | None = None


class HairlessType(Record):
    """Scores on one type of photo without people."""

    images: Count | None = None
    variants: ByName[FalseHair] = Field(default_factory=dict)


class HairlessScores(HairlessType):
    """Scores on all photos without people, and by type in `kinds`."""

    kinds: ByName[HairlessType] = Field(default_factory=dict)


class RocCurve(Record):
    """Points of a ROC curve, from the highest threshold downwards."""

    false_positive_rate: Rates = Field(default_factory=list)
    true_positive_rate: Rates = Field(default_factory=list)


class Transfer(Record):
    """F1 by number of training photos, as benchmarks/transfer.py measures it.

    `photos_saved` is the fraction of the training photos with which the pretrained variant matches the random one
    trained on all of them; None if it never does.
    """

    f1: ByName[ByName[Fraction | None]] = Field(default_factory=dict)
    photos_saved: Fraction | None = None
    image_size: Count | None = None
    datasets: list[Name] = Field(default_factory=list)
    test_photos: Count | None = None
    frames: Count | None = None


class EpochScores(TypedDict):
    """Scores of one split after an epoch; `loss` is the mean squared error."""

    loss: float | None
    f1: float | None
    auroc: float | None


class EpochRecord(TypedDict):
    """One epoch in history.json. It is a plain dict, as checkpoints hold nothing else."""

    epoch: int
    train: EpochScores
    val: EpochScores
    test: EpochScores
    seconds: float


@dataclass(frozen=True)
class ScoredPhotos:
    """The photos that were scored. Only scores of the same photos at the same size are compared."""

    dataset: str
    split: str
    images: int
    image_size: int

    def __str__(self) -> str:
        return f"{self.dataset}, split {self.split}, {self.images} photos at {self.image_size} x {self.image_size}"


@dataclass(frozen=True)
class PhotoType:
    """Scores on one type of photo, at full resolution.

    Attributes:
        name: of the type.
        dataset: which the photos are from; None for photos without people.
        images: number of photos.
        f1: by variant; None where no photo has hair.
        false_hair: by variant, the fraction of pixels wrongly labelled as hair.
    """

    name: str
    dataset: str | None
    images: int | None
    f1: dict[str, float | None]
    false_hair: dict[str, float | None]

    @classmethod
    def from_scores(
        cls, name: str, dataset: str | None, images: int | None, scores: Mapping[str, Scores]
    ) -> "PhotoType":
        """Collect the scores by variant of the photos of one type."""
        f1 = {variant: found.f1 for variant, found in scores.items()}
        return cls(name, dataset, images, f1, {variant: found.false_hair for variant, found in scores.items()})

    @property
    def label(self) -> str:
        """Name, data set and number of photos, for a table."""
        photos = f"{self.images} photo{'s' if self.images > 1 else ''}" if self.images else None
        return ", ".join(part for part in (self.name, self.dataset, photos) if part)

    @property
    def rank(self) -> tuple[float, ...]:
        """Sort key: F1 of the first variant, ascending; then photos without hair by false hair, descending."""
        f1 = next((score for score in self.f1.values() if score is not None), None)
        return (0, f1) if f1 is not None else (1, *(-(fraction or 0) for fraction in self.false_hair.values()))


class DatasetMetrics(Record):
    """Scores of a model repository on one data set.

    Attributes:
        variants: scores at the networks' input size, as in the paper.
        full_resolution: scores of alphas at full resolution.
        hair_types: by type of hair, if the data set labels it.
        groups: by other groups of photos, such as hats, the worst first.
        framing: by size of the photo in a larger scene, such as "1/3", then by variant.
        framing_photos: number of photos scored for each framing.
    """

    dataset: Name | None = None
    split: Name | None = None
    images: Count | None = None
    image_size: Count | None = None
    variants: ByName[Scores] = Field(default_factory=dict)
    roc: ByName[RocCurve] = Field(default_factory=dict)
    full_resolution: ByName[FullResolutionScores] = Field(default_factory=dict)
    hair_types: ByName[GroupScores] = Field(default_factory=dict)
    groups: ByName[GroupScores] = Field(default_factory=dict)
    framing_photos: Count | None = None
    framing: ByName[ByName[Scores]] = Field(default_factory=dict)
    hairless: HairlessScores | None = None

    @property
    def photos(self) -> ScoredPhotos | None:
        """The photos that were scored; None if not recorded completely."""
        if self.dataset and self.split and self.images and self.image_size:
            return ScoredPhotos(self.dataset, self.split, self.images, self.image_size)
        return None

    def photo_types(self) -> Iterator[PhotoType]:
        """Yield the scores by type of photo."""
        for size, scores in self.framing.items():
            yield PhotoType.from_scores(f"photo {size} of a scene", self.dataset, self.framing_photos, scores)
        hair_types = {f"hair: {name}": scores for name, scores in self.hair_types.items()}
        for name, group in (hair_types | self.groups).items():
            yield PhotoType.from_scores(name, self.dataset, group.images, group.variants)
        for name, group in (self.hairless.kinds if self.hairless else {}).items():
            scores = {variant: Scores(false_hair=found.mean) for variant, found in group.variants.items()}
            yield PhotoType.from_scores(f"no people: {name}", None, group.images, scores)


class Metrics(DatasetMetrics):
    """metrics.json: scores on the first data set, on others, and by number of training photos."""

    others: Annotated[list[DatasetMetrics], Field(max_length=MAX_ENTRIES)] = Field(default_factory=list)
    transfer: Transfer | None = None

    def regressions_against(self, former: "Metrics") -> list[str]:
        """Describe each score that is worse than a former one on the same photos; none where the photos differ.

        Example:
            >>> def scored(f1: float) -> Metrics:
            ...     photos = {"dataset": "figaro1k", "split": "test", "images": 210, "image_size": 256}
            ...     return Metrics(**photos, variants={"random": Scores(f1=f1)})
            >>> scored(0.8).regressions_against(scored(0.9))
            ['F1 of random is 0.8000, not 0.9000']
        """
        if self.photos is None or self.photos != former.photos:
            return []
        return [
            f"{name.upper()} of {variant} is {score:.4f}, not {before:.4f}"
            for variant, scores in self.variants.items()
            if variant in former.variants
            for name in COMPARED
            if (score := getattr(scores, name)) is not None
            and (before := getattr(former.variants[variant], name)) is not None
            and score < before - TOLERANCE
        ]

    def by_photo_type(self) -> list[PhotoType]:
        """Return the scores by type of photo, of all data sets, the worst first.

        Photos without hair come last: they have no F1, only false hair.
        """
        found = [photo_type for metrics in (self, *self.others) for photo_type in metrics.photo_types()]
        return sorted((photo_type for photo_type in found if photo_type.f1), key=lambda photo_type: photo_type.rank)
