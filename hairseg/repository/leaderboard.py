"""Model repositories side by side, by what their own files hold: a row each, compared where that means something."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hairseg.errors import InputError
from hairseg.paper import VARIANTS
from hairseg.repository.metrics import TOLERANCE
from hairseg.repository.repository import CONFIG, ModelRepository

COMPARED = ("auroc", "f1", "worst_f1")

KINDS = ("groups", "hair_types")  # of photos, in metrics.json

LONGEST = 80  # characters of a name


@dataclass(frozen=True)
class Photos:
    """What was scored. Scores are compared where all of it is the same."""

    dataset: str
    split: str
    images: int
    image_size: int  # side of the networks' square input, in pixels

    def __str__(self) -> str:
        return f"{self.dataset}, split {self.split}, {self.images} photos at {self.image_size} x {self.image_size}"


@dataclass(frozen=True)
class VariantRow:
    """What is known of one variant. None: its files do not say."""

    recipe: str | None
    trained_on: int | None  # photos
    auroc: float | None
    f1: float | None
    worst_f1: float | None  # of the kind of photos on which it is lowest, at their own sizes
    worst_group: str | None  # that kind
    worst_images: int | None  # how many photos of it there are


@dataclass(frozen=True)
class Row:
    """One model repository."""

    name: str
    revision: str | None  # on the Hub
    backbone: str
    variants: dict[str, VariantRow]
    photos: Photos | None  # that the scores are of; None: there are no scores
    megabytes: float  # of weights, both variants
    milliseconds: float | None = None  # that both masks of a photo take on this machine


@dataclass(frozen=True)
class Group:
    """Rows whose scores are of the same photos, the best first; or those without scores."""

    photos: Photos | None
    rows: list[Row]

    @property
    def is_compared(self) -> bool:
        return self.photos is not None and len(self.rows) > 1

    def is_best(self, row: Row, variant: str, score: str) -> bool:
        """Whether no row of the group has a better score, and another one has that score, too.

        Args:
            variant, score: which one, of `VARIANTS` and of `COMPARED`.
        """
        known = [value for other in self.rows if (value := score_of(other, variant, score)) is not None]
        own = score_of(row, variant, score)
        return self.is_compared and len(known) > 1 and own is not None and own >= max(known) - TOLERANCE


def score_of(row: Row, variant: str, score: str) -> float | None:
    return getattr(row.variants[variant], score) if variant in row.variants else None


def read_row(repository: ModelRepository, name: str, revision: str | None = None) -> Row:
    """What the files of a repository say of it. Of strangers' files, what is not as expected is left out.

    Raises:
        InputError: its config.json is missing or malformed.

    Example:
        >>> from hairseg.repository import BUNDLED
        >>> row = read_row(ModelRepository(BUNDLED), "bundled")
        >>> row.backbone, row.photos.dataset, list(row.variants)
        ('efficientnet_lite0', 'celebamask-hq', ['pretrained', 'random'])
    """
    config = repository.config
    try:
        metrics = repository.metrics()
    except InputError:
        metrics = {}
    variants = {
        variant: VariantRow(
            _text(entry.get("recipe")),
            _whole(_entry(entry, "images", "train")),
            _score(_entry(metrics, "variants", variant, "auroc")),
            _score(_entry(metrics, "variants", variant, "f1")),
            *_worst(metrics, variant),
        )
        for variant, entry in config.variants.items()
    }
    megabytes = repository.bytes_of_weights() / 1e6
    return Row(name, revision, config.backbone, variants, _photos(metrics), megabytes)


def groups_of(rows: Iterable[Row]) -> list[Group]:
    """Rows by what they were scored on: the largest group first, those that cannot be compared last.

    Rows of a group are sorted by the AUROC of the pretrained variant, else of the random one.
    """
    groups: dict[Photos | None, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.photos, []).append(row)
    found = [Group(photos, sorted(of_photos, key=_rank)) for photos, of_photos in groups.items()]
    return sorted(found, key=lambda group: (group.photos is None, -len(group.rows)))


def _rank(row: Row) -> tuple[float, ...]:
    return tuple(-(score_of(row, variant, "auroc") or 0) for variant in VARIANTS)


def find_repositories(folders: Iterable[Path]) -> list[Path]:
    """The model repositories that are meant: folders themselves, or those in them, sorted.

    Raises:
        InputError: a folder that is none and holds none.
    """
    found = []
    for folder in folders:
        below = sorted(path.parent for path in folder.glob(f"*/{CONFIG}")) if folder.is_dir() else []
        here = [folder] if (folder / CONFIG).is_file() else below
        if not here:
            raise InputError(
                f"{folder} holds no model repository", "a folder that train.py has written, or one of several"
            )
        found += here
    return list(dict.fromkeys(found))


def _photos(metrics: object) -> Photos | None:
    dataset, split = _text(_entry(metrics, "dataset")), _text(_entry(metrics, "split"))
    images, image_size = _whole(_entry(metrics, "images")), _whole(_entry(metrics, "image_size"))
    return Photos(dataset, split, images, image_size) if dataset and split and images and image_size else None


def _worst(metrics: object, variant: str) -> tuple[float | None, str | None, int | None]:
    """F1, name and number of photos of the kind of photos with the lowest F1."""
    kinds = [
        (f1, _text(name), _whole(_entry(kind, "images")))
        for key in KINDS
        if isinstance(of_key := _entry(metrics, key), dict)
        for name, kind in of_key.items()
        if (f1 := _score(_entry(kind, "variants", variant, "f1"))) is not None
    ]
    return min(kinds, key=lambda kind: kind[0], default=(None, None, None))


def _entry(content: object, *keys: str) -> object:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _score(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def _whole(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 10**9 else None


def _text(value: object) -> str | None:
    """At most `LONGEST` characters that a terminal shows."""
    return "".join(filter(str.isprintable, value))[:LONGEST] if isinstance(value, str) else None
