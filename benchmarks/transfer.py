"""What transfer learning is worth: both variants trained on ever more photos, and F1 over their number.

    python benchmarks/transfer.py --data CelebAMask-HQ Figaro1k --init efficientnet_lite0.in1k.safetensors

The same command goes on where it was stopped. `--into FOLDER` also puts the curve into the metrics of a repository,
and so into its card and onto the page that serves it.

Both variants take the same photos, each set of them within the next larger one, and every run sees equally many frames
of them, by the recipe `modern` without scenes. The last epoch is scored, on the test photos, which choose nothing. The
curve is drawn beside the JSON file.
"""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from common import parser_of
from matplotlib.figure import Figure
from trained import record_in, trained_weights

from hairseg.cli.common import run
from hairseg.data.datasets import Pair, find_pairs, hash_fraction
from hairseg.data.decoded import load_arrays
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

PHOTOS = (50, 100, 200, 400, 800)


def nested(pairs: dict[str, list[Pair]]) -> list[tuple[str, Pair]]:
    """Training photos of all data sets in an order that their ids alone decide: the first 50 are in the first 100."""
    training = [
        (dataset, pair) for dataset, of_dataset in pairs.items() for pair in of_dataset if pair.split == "train"
    ]
    return sorted(training, key=lambda each: hash_fraction(f"{each[0]}/{each[1].id}/transfer"))


def recipe_for(photos: int, frames: int, image_size: int) -> Recipe:
    """`modern`, in as many epochs as show about so many frames."""
    return replace(MODERN, epochs=max(1, round(frames / photos)), image_size=image_size)


def photos_saved(results: dict[str, dict[str, float]]) -> float | None:
    """How many photos the pretrained variant needs for the F1 of the random one with all of its, as a share of them.

    Between the numbers measured, F1 is taken as a line in the logarithm of the number of photos; None where the
    pretrained variant never is as good, and the smallest number's share where it always is better.

    Args:
        results: per variant, F1 by number of photos.
    """
    numbers = sorted(int(number) for number in results["random"])
    goal = results["random"][str(numbers[-1])]
    reached = np.maximum.accumulate([results["pretrained"][str(number)] for number in numbers])
    if reached[-1] < goal:
        return None
    return float(np.exp(np.interp(goal, reached, np.log(numbers))) / numbers[-1])


def add_to(folder: Path, record: dict) -> None:
    """Put the curve into a model repository's metrics.json, under "transfer", and into its card."""
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


def draw(path: Path, results: dict[str, dict[str, float]]) -> None:
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axis = figure.subplots()
    for variant, scores in results.items():
        photos, f1 = zip(*sorted((int(number), score) for number, score in scores.items()), strict=True)
        axis.plot(photos, f1, marker="o", color=VARIANT_COLOURS[variant], label=variant)
    axis.set(xscale="log", xlabel="training photos", ylabel="F1 on test photos")
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.set_defaults(output=Path("runs/transfer.json"))
    parser.add_argument("--data", required=True, nargs="+", type=Path)
    parser.add_argument("--photos", nargs="+", type=int, default=list(PHOTOS), help="numbers of photos, besides all")
    parser.add_argument("--frames", type=int, default=6400, help="that each run sees")
    parser.add_argument("--backbone", default="efficientnet_lite0", choices=list(BACKBONES))
    parser.add_argument("--init", help="what the pretrained variant starts from, as for train.py")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=2, help="threads that decode photos")
    parser.add_argument("--into", type=Path, help="model repository that shall hold the curve, too")
    args = parser.parse_args()
    if args.into:
        ModelRepository(args.into).validate()
    pairs = dict(find_pairs(folder) for folder in args.data)
    order = nested(pairs)
    numbers = sorted({*args.photos, len(order)})
    if numbers[0] < 2 or numbers[-1] > len(order):
        raise InputError(
            f"--photos {' '.join(map(str, args.photos))} does not fit",
            f"numbers from 2 to {len(order)}, the training photos",
            "choose others",
        )
    device, preprocessing = select_device(args.device), Preprocessing(args.image_size)
    accelerator = Accelerator(cpu=device.type == "cpu")
    test = load_arrays(
        {dataset: [pair for pair in found if pair.split == "test"] for dataset, found in pairs.items()},
        preprocessing,
        args.workers,
    )
    init = args.init or default_init(args.backbone)
    recipe = asdict(recipe_for(1, 1, args.image_size)) | {"epochs": None}
    settings = {
        "datasets": list(pairs), "training_photos": len(order), "test_photos": len(test), "backbone": args.backbone,
        "init": Path(init).name, "frames": args.frames, "recipe": recipe,
    }  # fmt: skip
    record = record_in(args.output, settings, "f1")
    for number in numbers:
        for variant in VARIANTS:
            results = record["f1"].setdefault(variant, {})
            if str(number) in results:
                continue
            results[str(number)] = f1_after(
                order[:number], variant, init, recipe_for(number, args.frames, args.image_size), args, accelerator, test
            )
            print(f"{variant}, {number} photos: F1 {results[str(number)]:.4f}", flush=True)
            write_json(args.output, record)
    record["photos_saved"] = photos_saved(record["f1"])
    write_json(args.output, record)
    draw(args.output.with_suffix(".png"), record["f1"])
    if args.into:
        add_to(args.into, record)
    print(f"written: {args.output} and {args.output.with_suffix('.png').name}")


def f1_after(chosen: list[tuple[str, Pair]], variant: str, init: str, recipe: Recipe, args, accelerator, test) -> float:
    """F1 on the test photos after training on the chosen ones."""
    settings = Settings(variant, args.backbone, "random" if variant == "random" else init, recipe, 0, str(len(chosen)))
    network = build_model(args.backbone).to(accelerator.device).to(memory_format=torch.channels_last)
    network.load_state_dict(trained_weights(settings, chosen, accelerator, args.workers))
    counts = PixelCounts(accelerator.device)
    score(network, test.photos, test.masks, Preprocessing(recipe.image_size), [counts], precision=recipe.precision)
    return counts.scores().f1() or 0.0


if __name__ == "__main__":
    run(main)
