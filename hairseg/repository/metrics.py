"""metrics.json of a model repository: the scores that evaluate.py writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from hairseg.paper import VARIANTS
from hairseg.repository.photo_types import FRAMING_NAMES, LABELLED_BY_AGREEMENT, NOBODY, group_name, scene_name
from hairseg.repository.records import MAX_ENTRIES, ByName, Count, Fraction, Name, Record

TOLERANCE = 5e-5  # half a unit of the last digit shown

COMPARED = ("auroc", "f1")

Interval = tuple[Fraction, Fraction]

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
        f1_interval: 95 % bootstrap interval of `f1`, over photos.
        false_hair_interval: 95 % bootstrap interval of `false_hair`, over photos.
    """

    auroc: Fraction | None = None
    f1: Fraction | None = None
    iou: Fraction | None = None
    mse: Fraction | None = None
    boundary_iou: Fraction | None = None
    calibration_error: Fraction | None = None
    median_f1: Fraction | None = None
    false_hair: Fraction | None = None
    f1_interval: Interval | None = None
    false_hair_interval: Interval | None = None


class FullResolutionScores(Scores):
    """Scores of alphas at full resolution; `unrefined` holds those without guided-filter refinement."""

    unrefined: Scores = Scores()


class GroupScores(Record):
    """Scores of the photos of one group."""

    images: Count | None = None
    variants: ByName[Scores] = Field(default_factory=dict)


class PhotoTypeScores(GroupScores):
    """Scores of the photos of one group in several data sets, all pixels pooled."""

    group: Name
    datasets: Annotated[list[Name], Field(max_length=MAX_ENTRIES)]


class FalseHair(Record):
    """Fraction of pixels labelled as hair in photos without people.

    Attributes:
        mean: mean over photos.
        worst: fraction of the worst photo.
        mean_interval: 95 % bootstrap interval of `mean`, over photos.
    """

    mean: Fraction | None = None
    worst: Fraction | None = None
    mean_interval: Interval | None = None

    def as_scores(self) -> Scores:
        """Return `Scores` with the mean as false hair."""
        return Scores(false_hair=self.mean, false_hair_interval=self.mean_interval)


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


@dataclass(frozen=True)
class TransferPoint:
    """F1 of both variants with one number of training photos.

    Attributes:
        photos: number of training photos.
        f1: mean over the seeds, by variant.
        f1_range: the lowest and the highest F1 of all seeds, by variant; empty with a single seed.
    """

    photos: int
    f1: dict[str, float]
    f1_range: dict[str, Interval]

    def lowest(self, variant: str) -> float:
        """Return the lowest F1 of all seeds."""
        return self.f1_range.get(variant, (self.f1[variant],))[0]

    def highest(self, variant: str) -> float:
        """Return the highest F1 of all seeds."""
        return self.f1_range.get(variant, (self.f1[variant],))[-1]


class Transfer(Record):
    """F1 by number of training photos, as benchmarks/transfer.py measures it.

    Up to version 0.10, there was one short run per number of photos, and `seeds` is empty. Since then, each run trains
    until F1 on validation photos stops rising.

    Attributes:
        f1: mean over the seeds, by variant and number of photos.
        f1_range: the lowest and the highest F1 of all seeds.
        image_size: side of the network's input, in pixels.
        datasets: names of the data sets.
        test_photos: number of test photos.
        samples: photos that a run trains on at most, with repetition.
        seeds: seeds of the runs.
        at_limit: number of runs by variant whose F1 was still rising after `samples`.
    """

    f1: ByName[ByName[Fraction | None]] = Field(default_factory=dict)
    f1_range: ByName[ByName[Interval]] = Field(default_factory=dict)
    image_size: Count | None = None
    datasets: list[Name] = Field(default_factory=list)
    test_photos: Count | None = None
    samples: Count | None = None
    seeds: list[Count] = Field(default_factory=list)
    at_limit: ByName[Count] = Field(default_factory=dict)

    def points(self) -> list[TransferPoint]:
        """Return the numbers of photos for which both variants were measured, in ascending order."""
        found = []
        for count in set.intersection(*(set(self.f1.get(variant, {})) for variant in VARIANTS)):
            f1 = {variant: score for variant in VARIANTS if (score := self.f1[variant][count]) is not None}
            if len(f1) < len(VARIANTS) or not count.isdecimal() or len(count) >= 10:
                continue
            ranges = {variant: self.f1_range[variant] for variant in VARIANTS if variant in self.f1_range}
            f1_range = {variant: by_count[count] for variant, by_count in ranges.items() if count in by_count}
            found.append(TransferPoint(int(count), f1, f1_range if len(self.seeds) > 1 else {}))
        return sorted(found, key=lambda point: point.photos)


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
        name: display name of the type.
        datasets: data sets of the photos; empty for photos without people.
        images: number of photos.
        variants: scores by variant.
    """

    name: str
    datasets: list[str]
    images: int | None
    variants: Mapping[str, Scores]

    @property
    def is_labelled_by_agreement(self) -> bool:
        """Whether the masks are those that several networks agree on, not drawn by people."""
        return not LABELLED_BY_AGREEMENT.isdisjoint(self.datasets)

    @property
    def label(self) -> str:
        """Name and number of photos, for a table."""
        return f"{self.name}, {self.images} photo{'s' if self.images > 1 else ''}" if self.images else self.name

    @property
    def rank(self) -> tuple[float, ...]:
        """Sort key: F1 of the first variant, ascending; then photos without hair by false hair, descending."""
        scores = self.variants.values()
        f1 = next((found.f1 for found in scores if found.f1 is not None), None)
        return (0, f1) if f1 is not None else (1, *(-(found.false_hair or 0) for found in scores))

    def scores(self, variant: str) -> Scores:
        """Return the scores of a variant, all of them None if it was not scored."""
        return self.variants.get(variant, Scores())


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

    def types_of_groups(self) -> Iterator[PhotoType]:
        """Yield the scores by hair type, and by other groups."""
        datasets = [self.dataset] if self.dataset else []
        for name, group in (self.hair_types | self.groups).items():
            yield PhotoType(group_name(name), datasets, group.images, group.variants)

    def types_of_framings(self) -> Iterator[PhotoType]:
        """Yield the scores of photos pasted into larger scenes, by their size in the scene."""
        datasets = [self.dataset] if self.dataset else []
        for size, name in FRAMING_NAMES.items():
            if size in self.framing:
                yield PhotoType(name, datasets, self.framing_photos, self.framing[size])

    def types_without_people(self) -> Iterator[PhotoType]:
        """Yield the scores on photos without people: on all of them, and on each folder if there are several."""
        if self.hairless is None:
            return
        kinds = {scene_name(name): found for name, found in self.hairless.kinds.items()}
        types: dict[str, HairlessType] = {NOBODY: self.hairless, **(kinds if len(kinds) > 1 else {})}
        for name, found in types.items():
            scores = {variant: false_hair.as_scores() for variant, false_hair in found.variants.items()}
            yield PhotoType(name, [], found.images, scores)


class Metrics(DatasetMetrics):
    """metrics.json: scores on the first data set, on others, by type of photo, and by number of training photos.

    Attributes:
        others: scores on further data sets.
        photo_types: scores by group of photos, over all data sets; empty in files of versions up to 0.10.
        transfer: F1 by number of training photos.
    """

    others: Annotated[list[DatasetMetrics], Field(max_length=MAX_ENTRIES)] = Field(default_factory=list)
    photo_types: Annotated[list[PhotoTypeScores], Field(max_length=MAX_ENTRIES)] = Field(default_factory=list)
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
        """Return the scores by type of photo, the worst first.

        Each type is scored over all data sets or, in files of versions up to 0.10, once per data set. Photos without
        hair come last: they have no F1, only false hair.
        """
        scored = (self, *self.others)
        found = [
            PhotoType(group_name(found.group), found.datasets, found.images, found.variants)
            for found in self.photo_types
        ] or [photo_type for metrics in scored for photo_type in metrics.types_of_groups()]
        found += [photo_type for metrics in scored for photo_type in metrics.types_of_framings()]
        # All data sets were scored with the same photos without people.
        found += next((metrics for metrics in scored if metrics.hairless), self).types_without_people()
        return sorted((photo_type for photo_type in found if photo_type.variants), key=lambda found: found.rank)
