"""F1 of both variants over the number of training photos.

    python benchmarks/transfer.py --data CelebAMask-HQ Figaro1k --init efficientnet_lite0.in1k.safetensors

The same command resumes an interrupted run. `--into FOLDER` also adds the curve to the metrics and the card of a model
repository.

Both variants train on the same photos; each set contains the smaller ones. Every run has equally many steps of the
recipe `modern` without scenes. The last epoch is scored on the test photos. The curve is plotted next to the JSON file.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from common import create_parser, run
from matplotlib.figure import Figure
from short_training import read_or_create_record, train_weights

from hairseg.data.datasets import Pair, find_pairs, hash_fraction
from hairseg.data.decoded import PhotoArrays, load_arrays
from hairseg.errors import InputError
from hairseg.evaluation.metrics import PixelCounts, score
from hairseg.files import write_json
from hairseg.hub.card import render_card
from hairseg.networks.backbones import BACKBONES, build_model, default_init
from hairseg.networks.devices import select_device
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import VARIANT_COLOURS, VARIANTS
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import Transfer
from hairseg.training.checkpoints import Settings
from hairseg.training.recipes import MODERN, Recipe

PHOTO_COUNTS = (50, 100, 200, 400, 800)


def order_training_photos(datasets: dict[str, list[Pair]]) -> list[tuple[str, Pair]]:
    """Order the training photos of all data sets by hashes of their ids alone."""
    photos = [(dataset, pair) for dataset, pairs in datasets.items() for pair in pairs if pair.split == "train"]
    return sorted(photos, key=lambda photo: hash_fraction(f"{photo[0]}/{photo[1].id}/transfer"))


def create_recipe(photos: int, frames: int, image_size: int) -> Recipe:
    """Set the epochs of `modern` to about `frames` photos in all."""
    return replace(MODERN, epochs=max(1, round(frames / photos)), image_size=image_size)


def compute_photos_saved(results: dict[str, dict[str, float]]) -> float | None:
    """Compute the fraction of photos with which the pretrained variant has the final F1 of the random variant.

    F1 is interpolated linearly over the logarithm of the number of photos.

    Args:
        results: per variant, F1 by number of photos.

    Returns:
        None if the pretrained variant never reaches that F1; the fraction of the smallest number if it always does.
    """
    counts = sorted(int(count) for count in results["random"])
    target = results["random"][str(counts[-1])]
    best = np.maximum.accumulate([results["pretrained"][str(count)] for count in counts])
    if best[-1] < target:
        return None
    return float(np.exp(np.interp(target, best, np.log(counts))) / counts[-1])


def add_to_repository(folder: Path, record: dict[str, Any]) -> None:
    """Add the curve to metrics.json of a model repository, as "transfer", and to its card."""
    repository = ModelRepository(folder)
    settings = record["settings"]
    transfer = Transfer(
        f1=record["f1"],
        photos_saved=record["photos_saved"],
        image_size=settings["recipe"]["image_size"],
        **{name: settings[name] for name in ("datasets", "test_photos", "frames")},
    )
    metrics = repository.metrics().model_copy(update={"transfer": transfer})
    repository.save_metrics(metrics)
    repository.save_card(render_card(repository.config, metrics, onnx_variants=repository.onnx_variants()))


def plot(path: Path, results: dict[str, dict[str, float]]) -> None:
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axis = figure.subplots()
    for variant, scores in results.items():
        photos, f1 = zip(*sorted((int(count), score) for count, score in scores.items()), strict=True)
        axis.plot(photos, f1, marker="o", color=VARIANT_COLOURS[variant], label=variant)
    axis.set(xscale="log", xlabel="training photos", ylabel="F1 on test photos")
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    figure.savefig(path, dpi=120)


def score_weights(
    weights: dict[str, torch.Tensor], settings: Settings, test: PhotoArrays, device: torch.device
) -> float:
    """Compute F1 on the test photos."""
    network = build_model(settings.backbone).to(device).to(memory_format=torch.channels_last)
    network.load_state_dict(weights)
    counts, recipe = PixelCounts(device), settings.recipe
    score(network, test.photos, test.masks, Preprocessing(recipe.image_size), [counts], precision=recipe.precision)
    return counts.scores().f1() or 0.0


def main() -> None:
    parser = create_parser(__doc__)
    parser.set_defaults(output=Path("runs/transfer.json"))
    parser.add_argument("--data", required=True, nargs="+", type=Path)
    parser.add_argument(
        "--photos", nargs="+", type=int, default=list(PHOTO_COUNTS), help="numbers of photos, in addition to all"
    )
    parser.add_argument("--frames", type=int, default=6400, help="photos that each run trains on, with repetition")
    parser.add_argument("--backbone", default="efficientnet_lite0", choices=list(BACKBONES))
    parser.add_argument("--init", help="initial weights of the pretrained variant, as for train.py")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=2, help="threads that decode photos")
    parser.add_argument("--into", type=Path, help="model repository to add the curve to")
    args = parser.parse_args()
    if args.into:
        ModelRepository(args.into).validate()
    datasets = dict(find_pairs(folder) for folder in args.data)
    photos = order_training_photos(datasets)
    counts = sorted({*args.photos, len(photos)})
    if counts[0] < 2 or counts[-1] > len(photos):
        raise InputError(
            f"--photos {' '.join(map(str, args.photos))} is out of range.",
            remedy=f"Choose numbers from 2 to {len(photos)}, the number of training photos.",
        )
    device, preprocessing = select_device(args.device), Preprocessing(args.image_size)
    accelerator = Accelerator(cpu=device.type == "cpu")
    test = load_arrays(
        {dataset: [pair for pair in pairs if pair.split == "test"] for dataset, pairs in datasets.items()},
        preprocessing,
        args.workers,
    )
    init = args.init or default_init(args.backbone)
    recipe = asdict(create_recipe(1, 1, args.image_size)) | {"epochs": None}
    settings = {
        "datasets": list(datasets),
        "training_photos": len(photos),
        "test_photos": len(test),
        "backbone": args.backbone,
        "init": Path(init).name,
        "frames": args.frames,
        "recipe": recipe,
    }
    record = read_or_create_record(args.output, settings, "f1")
    for count in counts:
        for variant in VARIANTS:
            results = record["f1"].setdefault(variant, {})
            if str(count) in results:
                continue
            settings = Settings(
                variant,
                args.backbone,
                "random" if variant == "random" else init,
                create_recipe(count, args.frames, args.image_size),
                0,
                str(count),
            )
            weights = train_weights(settings, photos[:count], accelerator, args.workers)
            results[str(count)] = score_weights(weights, settings, test, device)
            print(f"{variant}, {count} photos: F1 {results[str(count)]:.4f}", flush=True)
            write_json(args.output, record)
    record["photos_saved"] = compute_photos_saved(record["f1"])
    write_json(args.output, record)
    plot(args.output.with_suffix(".png"), record["f1"])
    if args.into:
        add_to_repository(args.into, record)
    print(f"Wrote {args.output} and {args.output.with_suffix('.png').name}.")


if __name__ == "__main__":
    run(main)
