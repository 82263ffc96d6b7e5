"""Comparison of model repositories by the scores in their files, as a text table or JSON."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hairseg.errors import InputError
from hairseg.paper import VARIANTS
from hairseg.repository.metrics import TOLERANCE, Metrics, ScoredPhotos, Scores
from hairseg.repository.photo_types import group_name
from hairseg.repository.repository import CONFIG_FILE, ModelRepository

SCORES = ("auroc", "f1", "worst_f1")

NUMERIC_COLUMNS = ("photos", "AUROC", "F1", "worst F1", "MB", "ms")

COLUMNS = (
    "model", "revision", "backbone", "variant", "recipe", "photos", "AUROC", "F1", "worst F1", "worst group", "MB", "ms"
)  # fmt: skip


@dataclass(frozen=True)
class VariantRow:
    """One variant of a model repository. A field is None where the repository's files do not hold it.

    Attributes:
        recipe: name of the training recipe.
        trained_on: number of training photos.
        auroc: at the network's input size.
        f1: at the network's input size.
        worst_f1: F1 of the group of photos where it is lowest, at full resolution.
        worst_group: name of that group.
        worst_images: number of photos in that group.
    """

    recipe: str | None
    trained_on: int | None
    auroc: float | None
    f1: float | None
    worst_f1: float | None
    worst_group: str | None
    worst_images: int | None


@dataclass(frozen=True)
class Row:
    """One model repository.

    Attributes:
        name: display name.
        revision: commit on the Hub.
        backbone: backbone of all variants.
        variants: by name.
        photos: the photos that were scored; None without scores.
        megabytes: size of all variants' weight files.
        milliseconds: prediction time per photo for all variants on this machine; None if not measured.
    """

    name: str
    revision: str | None
    backbone: str
    variants: dict[str, VariantRow]
    photos: ScoredPhotos | None
    megabytes: float
    milliseconds: float | None = None

    def score(self, variant: str, score: str) -> float | None:
        """Return one of `SCORES` of a variant; None where it is missing."""
        return getattr(self.variants[variant], score) if variant in self.variants else None

    @property
    def rank(self) -> tuple[float, ...]:
        """Sort key: the AUROC of the pretrained variant, then of the random one, in descending order."""
        return tuple(-(self.score(variant, "auroc") or 0) for variant in VARIANTS)


@dataclass(frozen=True)
class ComparisonGroup:
    """Rows whose scores are of the same photos, the best first; or rows without scores."""

    photos: ScoredPhotos | None
    rows: list[Row]

    @property
    def is_compared(self) -> bool:
        """Whether several rows have scores of the same photos."""
        return self.photos is not None and len(self.rows) > 1

    def is_best(self, row: Row, variant: str, score: str) -> bool:
        """Return whether a row has the best score, and another row has that score too.

        Args:
            row: of this group.
            variant: one of `VARIANTS`.
            score: one of `SCORES`.
        """
        value = row.score(variant, score)
        values = [other for found in self.rows if (other := found.score(variant, score)) is not None]
        return self.is_compared and len(values) > 1 and value is not None and value >= max(values) - TOLERANCE

    def heading(self, mark: str, is_only_group: bool) -> str:
        """Describe what was scored, and whether the rows can be compared.

        Args:
            mark: symbol beside the best scores.
            is_only_group: whether this is the only group with scores.
        """
        if self.photos is None:
            return "no scores: run `hairseg evaluate`"
        if self.is_compared:
            return f"{self.photos}; {mark} marks the best"
        return str(self.photos) if is_only_group else f"not comparable with the others: {self.photos}"


def read_row(repository: ModelRepository, name: str, revision: str | None = None) -> Row:
    """Read a row from a repository's files. The scores are None if metrics.json is missing or malformed.

    Raises:
        InputError: config.json is missing or malformed.

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
        metrics = Metrics()
    groups = metrics.groups | metrics.hair_types
    variants = {}
    for variant, entry in config.variants.items():
        scores = metrics.variants.get(variant, Scores())
        f1_by_group = {
            name: f1
            for name, group in groups.items()
            if variant in group.variants and (f1 := group.variants[variant].f1) is not None
        }
        worst = min(f1_by_group, key=lambda name: f1_by_group[name], default=None)
        variants[variant] = VariantRow(
            recipe=entry.recipe,
            trained_on=entry.images.get("train"),
            auroc=scores.auroc,
            f1=scores.f1,
            worst_f1=f1_by_group[worst] if worst else None,
            worst_group=worst and group_name(worst),
            worst_images=groups[worst].images if worst else None,
        )
    return Row(name, revision, config.backbone, variants, metrics.photos, repository.weight_bytes() / 1e6)


def comparison_groups(rows: Iterable[Row]) -> list[ComparisonGroup]:
    """Group rows by the photos that were scored: the largest group first, rows without scores last."""
    by_photos: dict[ScoredPhotos | None, list[Row]] = {}
    for row in rows:
        by_photos.setdefault(row.photos, []).append(row)
    groups = [ComparisonGroup(photos, sorted(found, key=lambda row: row.rank)) for photos, found in by_photos.items()]
    return sorted(groups, key=lambda group: (group.photos is None, -len(group.rows)))


def find_repositories(folders: Iterable[Path]) -> list[Path]:
    """Find model repositories: folders themselves, or else their direct subfolders, sorted.

    Raises:
        InputError: a folder is no repository and holds none.
    """
    found = []
    for folder in folders:
        below = sorted(path.parent for path in folder.glob(f"*/{CONFIG_FILE}")) if folder.is_dir() else []
        repositories = [folder] if (folder / CONFIG_FILE).is_file() else below
        if not repositories:
            raise InputError(
                f"{folder} holds no model repository.",
                remedy="Give a folder written by train.py, or the parent of several.",
            )
        found += repositories
    return list(dict.fromkeys(found))


def format_leaderboard(rows: Iterable[Row]) -> str:
    """Format rows as text tables, one line for each variant, with a star before the best scores of a group."""
    groups = comparison_groups(rows)
    is_only_group = sum(group.photos is not None for group in groups) == 1
    return "\n\n".join(
        f"{group.heading('*', is_only_group)}\n{format_table(COLUMNS, _format_rows(group), NUMERIC_COLUMNS)}"
        for group in groups
    )


def _format_rows(group: ComparisonGroup) -> list[list[str]]:
    """Format the cells of `COLUMNS`, one line for each variant."""
    lines = []
    for row in group.rows:
        for variant, scores in row.variants.items():
            marks = {score: "*" if group.is_best(row, variant, score) else "" for score in SCORES}
            worst = scores.worst_group and f"{scores.worst_group}, {scores.worst_images or '?'}"
            texts = [row.name, row.revision, row.backbone, variant, scores.recipe, scores.trained_on]
            lines.append(
                [
                    *(str(value or "-") for value in texts),
                    *(mark + format_score(row.score(variant, score)) for score, mark in marks.items()),
                    worst or "-",
                    f"{row.megabytes:.1f}",
                    "-" if row.milliseconds is None else f"{row.milliseconds:.0f}",
                ]
            )
    return lines


def rows_to_json(rows: Iterable[Row]) -> Sequence[Mapping[str, object]]:
    """Convert rows to JSON, with the names of the rows each is compared with and the scores where it is the best."""
    return [
        asdict(row)
        | {
            "compared_with": [other.name for other in group.rows if group.is_compared and other is not row],
            "best": [
                f"{variant}.{score}"
                for variant in row.variants
                for score in SCORES
                if group.is_best(row, variant, score)
            ],
        }
        for group in comparison_groups(rows)
        for row in group.rows
    ]


def format_table(columns: Sequence[str], lines: Iterable[Sequence[str]], numeric: Collection[str]) -> str:
    """Align cells under the titles of their columns, numeric ones on the right.

    Example:
        >>> print(format_table(("photos", "F1"), [("hats", "0.9"), ("heads", "0.95")], ("F1",)))
        photos    F1
        hats     0.9
        heads   0.95
    """
    table = [columns, *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if title in numeric else cell.ljust(width)
            for cell, width, title in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in table
    )


def format_score(score: float | None, interval: tuple[float, float] | None = None) -> str:
    """Format a score with four digits and its interval with three; a missing score is a hyphen.

    Example:
        >>> format_score(0.92918), format_score(0.92918, (0.917, 0.9394)), format_score(None)
        ('0.9292', '0.9292 (0.917 to 0.939)', '-')
    """
    if score is None:
        return "-"
    return f"{score:.4f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def format_percentage(fraction: float | None, interval: tuple[float, float] | None = None) -> str:
    """Format a fraction and its interval as percentages with two digits; a missing fraction is a hyphen.

    Example:
        >>> format_percentage(0.0123), format_percentage(0.0123, (0.01, 0.0155)), format_percentage(None)
        ('1.23 %', '1.23 % (1.00 to 1.55)', '-')
    """
    if fraction is None:
        return "-"
    return f"{100 * fraction:.2f} %" + (f" ({100 * interval[0]:.2f} to {100 * interval[1]:.2f})" if interval else "")
