"""The curve over the number of training photos in words, for the card, the page and the documentation."""

from dataclasses import dataclass

from hairseg.repository.metrics import Transfer


@dataclass(frozen=True)
class Comparison:
    """Which numbers of photos with pretraining suffice for the F1 of all photos without it.

    Attributes:
        all_photos: the largest number of training photos.
        better: numbers with which each pretrained run has a higher F1 than all random runs on all photos.
        overlapping: numbers with which the ranges of F1 overlap.
    """

    all_photos: int
    better: list[int]
    overlapping: list[int]


def compare(transfer: Transfer) -> Comparison | None:
    """Compare the pretrained runs with the random ones on all photos; None if nothing was measured."""
    points = transfer.points()
    if not points:
        return None
    lowest, highest = points[-1].lowest("random"), points[-1].highest("random")
    better = [point.photos for point in points if point.lowest("pretrained") > highest]
    worse = [point.photos for point in points if point.highest("pretrained") < lowest]
    overlapping = [point.photos for point in points if point.photos not in {*better, *worse}]
    return Comparison(points[-1].photos, better, overlapping)


def summarise_transfer(transfer: Transfer) -> str:
    """Describe in one sentence how many training photos pretraining saves. Empty if nothing was measured.

    Example:
        >>> f1 = {"pretrained": {"50": 0.8, "800": 0.9}, "random": {"50": 0.5, "800": 0.8}}
        >>> summarise_transfer(Transfer(f1=f1, photos_saved=0.25))
        'With pretraining, 200 training photos match 800 from random weights.'
        >>> f1_range = {"pretrained": {"50": (0.8, 0.8), "800": (0.9, 0.9)}, "random": {"800": (0.75, 0.78)}}
        >>> summarise_transfer(Transfer(f1=f1, f1_range=f1_range, seeds=[0, 1]))
        'With pretraining, the worst of 2 runs on 50 photos has a higher F1 than the best of 2 on 800 without.'
    """
    compared = compare(transfer)
    if compared is None:
        return ""
    if not transfer.seeds:
        return _summarise_photos_saved(transfer)
    total, runs = f"{compared.all_photos:,}", len(transfer.seeds)
    worst, best = (f"the worst of {runs} runs", f"the best of {runs}") if runs > 1 else ("the run", "the one")
    if compared.better:
        enough = compared.better[0]
        rest = [count for count in compared.overlapping if count < enough]
        overlap = f"; on {rest[0]:,} photos, the ranges overlap" if rest else ""
        return (
            f"With pretraining, {worst} on {enough:,} photos has a higher F1 than {best} on {total} without{overlap}."
        )
    if compared.overlapping:
        return (
            f"The range of F1 with pretraining on {compared.overlapping[0]:,} photos overlaps that on {total} without, "
            "so the runs do not show which is better."
        )
    return f"Without pretraining, {worst} on {total} photos has a higher F1 than {best} with it on any number."


def describe_experiment(transfer: Transfer) -> str:
    """Describe how the networks of the curve were trained, and why their F1 differs from that of the full training."""
    frames, side = transfer.frames or 0, transfer.image_size or 0
    if not transfer.seeds:
        return (
            f"Each network was trained once, on about {frames:,} photos (with repetition) at {side} x {side}. That is "
            "short, so F1 is lower than after the full training."
        )
    runs, datasets = len(transfer.seeds), len(transfer.datasets)
    repeats = (
        f"F1 is the mean of {runs} runs with different seeds; the lowest and the highest are in brackets."
        if runs > 1
        else "There is one run per number of photos."
    )
    return (
        "Each network was trained until its F1 on validation photos stopped rising, on at most "
        f"{frames:,} photos (with repetition) at {side} x {side}. {repeats} F1 differs from that after the full "
        "training: here, the resolution and the learning rate are constant, and the photos are from only "
        f"{datasets} data set{'s' if datasets != 1 else ''}, without scenes that show no people."
    )


def _summarise_photos_saved(transfer: Transfer) -> str:
    counts = [point.photos for point in transfer.points()]
    if transfer.photos_saved is None:
        return f"With pretraining, no number of training photos matches {counts[-1]:,} from random weights."
    sufficient = round(transfer.photos_saved * counts[-1])
    if sufficient <= counts[0]:
        return f"With pretraining, {counts[0]:,} training photos or fewer match {counts[-1]:,} from random weights."
    return f"With pretraining, {sufficient:,} training photos match {counts[-1]:,} from random weights."
