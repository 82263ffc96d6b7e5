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
    """Return a sentence that compares pretrained runs on few photos with runs from scratch on all; empty without data.

    Example:
        >>> f1 = {"pretrained": {"50": 0.8, "800": 0.9}, "random": {"50": 0.5, "800": 0.75}}
        >>> summarise_transfer(Transfer(f1=f1))
        'The pretrained run on 50 photos has a higher F1 than the run from scratch on 800.'
    """
    compared = compare(transfer)
    if compared is None:
        return ""
    total, runs = f"{compared.all_photos:,}", len(transfer.seeds)
    several = runs > 1
    if compared.better:
        enough = compared.better[0]
        pretrained = f"The worst of {runs} pretrained runs" if several else "The pretrained run"
        scratch = f"the best of {runs} runs from scratch" if several else "the run from scratch"
        sentence = f"{pretrained} on {enough:,} photos has a higher F1 than {scratch} on {total}."
        fewer = [count for count in compared.overlapping if count < enough]
        return f"{sentence} On {fewer[0]:,} photos, the ranges overlap." if fewer else sentence
    if compared.overlapping:
        return (
            f"Pretrained runs on {compared.overlapping[0]:,} photos and runs from scratch on {total} have overlapping "
            "ranges of F1."
        )
    scratch = f"The worst of {runs} runs" if several else "The run"
    return f"{scratch} from scratch on {total} photos has a higher F1 than every pretrained run."


def describe_experiment(transfer: Transfer) -> str:
    """Describe how the networks of the curve were trained, and why their F1 differs from that of the full training."""
    samples, side = transfer.samples or 0, transfer.image_size or 0
    if not transfer.seeds:
        return (
            f"Each network was trained once, on about {samples:,} photos (with repetition) at {side} x {side}. That is "
            "short, so F1 is lower than after the full training."
        )
    runs, datasets = len(transfer.seeds), len(transfer.datasets)
    at_limit = " and ".join(
        f"{transfer.at_limit[variant]} of {runs * len(transfer.points())} {name}"
        for variant, name in (("random", "runs from scratch"), ("pretrained", "pretrained runs"))
        if transfer.at_limit.get(variant)
    )
    limit = f" {at_limit} reached this limit while F1 was still rising." if at_limit else ""
    repeats = (
        f"F1 is the mean of {runs} runs with different seeds; the lowest and the highest are in brackets."
        if runs > 1
        else "There is one run per number of photos."
    )
    return (
        "Each network was trained until its F1 on validation photos stopped rising, on at most "
        f"{samples:,} photos (with repetition) at {side} x {side}.{limit} {repeats} F1 differs from that after the "
        "full training: here, the resolution and the learning rate are constant, and the photos are from only "
        f"{datasets} data set{'s' if datasets != 1 else ''}, without scenes that show no people."
    )
