"""F1 of both variants over the number of training photos, each trained until its F1 on validation photos stops rising.

    python benchmarks/transfer.py --data CelebAMask-HQ Figaro1k --init efficientnet_lite0.in1k.safetensors --jobs 2

The same command resumes an interrupted run. `--into FOLDER` also adds the curve to the metrics and the card of a model
repository.

Both variants train on the same photos; each set contains the smaller ones of its seed. The recipe is `modern` without
scenes, with the same resolution, learning rate and augmentation throughout, so that training can stop at any time; the
moving average of the weights is scored. The F1 on test photos is that of the round with the best F1 on validation
photos. The curve is plotted next to the JSON file. A folder next to it holds the result of each run.
"""

import json
import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context, parent_process
from pathlib import Path
from statistics import mean
from threading import Thread
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from common import create_parser, run
from matplotlib.figure import Figure
from short_training import read_or_create_record

from hairseg.data.datasets import Pair, find_pairs, hash_fraction
from hairseg.data.decoded import PhotoArrays, load_arrays
from hairseg.errors import InputError
from hairseg.files import write_json
from hairseg.hub.card import render_card
from hairseg.networks.backbones import BACKBONES, default_init
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import VARIANT_COLOURS, VARIANTS
from hairseg.repository import ModelRepository
from hairseg.repository.metrics import EpochRecord, Interval, Transfer
from hairseg.training.batches import epoch_loader, epoch_seed
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import score_held_out, train_epoch
from hairseg.training.recipes import MODERN, Recipe
from hairseg.training.state import TrainingState
from hairseg.training.step import TrainingStep

PHOTO_COUNTS = (50, 400)
SEEDS = (0, 1, 2)
ROUND_SAMPLES = 2000  # approximate number of samples between two evaluations
PATIENCE = 8000  # early stopping: samples without an improvement of F1 by MIN_DELTA
MIN_DELTA = 0.002


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        settings: variant, backbone, initial weights, recipe and seed.
        photos: training photos, each with the name of its data set.
        max_samples: photos to train on at most, with repetition; at least one epoch.
        result: JSON file to write; the checkpoint is next to it.
    """

    settings: Settings
    photos: list[tuple[str, Pair]]
    max_samples: int
    result: Path

    @property
    def epochs_per_round(self) -> int:
        """Epochs between two scores."""
        return max(1, min(ROUND_SAMPLES, self.max_samples) // len(self.photos))

    @property
    def photos_per_round(self) -> int:
        """Photos that a round trains on, with repetition."""
        return self.epochs_per_round * len(self.photos)


def order_training_photos(datasets: dict[str, list[Pair]], seed: int = 0) -> list[tuple[str, Pair]]:
    """Order the training photos of all data sets by hashes of their ids and of the seed alone."""
    photos = [(dataset, pair) for dataset, pairs in datasets.items() for pair in pairs if pair.split == "train"]
    return sorted(photos, key=lambda photo: hash_fraction(f"{photo[0]}/{photo[1].id}/transfer/{seed}"))


def has_stopped_rising(f1: list[float], photos_per_round: int) -> bool:
    """Return whether F1 has improved by less than `MIN_DELTA` over the last `PATIENCE` samples, in whole rounds.

    Args:
        f1: F1 on the validation photos after each round.
        photos_per_round: photos that a round trains on.
    """
    patience = math.ceil(PATIENCE / photos_per_round)
    return len(f1) > patience and max(f1) < max(f1[:-patience]) + MIN_DELTA


def train(run: Run, datasets: dict[str, list[Pair]]) -> dict[str, Any]:
    """Train until F1 on the validation photos stops rising, resuming from a checkpoint, and write the result."""
    checkpoint = run.result.with_suffix(".pt")
    if run.result.exists():
        checkpoint.unlink(missing_ok=True)
        return json.loads(run.result.read_text())
    torch.set_num_threads(1)
    settings, accelerator = run.settings, Accelerator(cpu=not torch.cuda.is_available())
    recipe, preprocessing = settings.recipe, Preprocessing(settings.recipe.image_size)
    source = Preprocessing(recipe.source_size)
    train_photos: dict[str, list[Pair]] = {}
    for dataset, pair in run.photos:
        train_photos.setdefault(dataset, []).append(pair)
    splits = {"train": load_arrays(train_photos, source, 1), "scenes": load_arrays({}, source, 1)}
    val, test = (load_split(datasets, name, preprocessing).to(accelerator.device) for name in ("val", "test"))
    state = TrainingState.start(settings, accelerator, steps=1)
    state.restore(checkpoint, accelerator)
    step = TrainingStep(state.network, recipe, preprocessing, accelerator.device)
    title = run.result.stem if sys.stderr.isatty() else None
    epochs, photos = run.epochs_per_round, run.photos_per_round
    val_f1 = [record["val"]["f1"] or 0.0 for record in state.history]
    while (len(val_f1) + 1) * photos <= run.max_samples and not has_stopped_rising(val_f1, photos):
        began, scores = time.perf_counter(), {}
        for epoch in range(len(val_f1) * epochs + 1, (len(val_f1) + 1) * epochs + 1):
            torch.manual_seed(epoch_seed(settings, epoch))  # for dropout
            scores["train"] = train_epoch(
                state, step, epoch_loader(settings, splits, preprocessing, epoch), accelerator, title
            )
        record: EpochRecord = {
            "epoch": len(val_f1) + 1,
            "train": scores["train"],
            "val": score_held_out(state.evaluated, val, recipe, accelerator),
            "test": score_held_out(state.evaluated, test, recipe, accelerator),
            "seconds": round(time.perf_counter() - began, 2),
        }
        state.add_epoch(record)
        state.save(checkpoint)
        val_f1.append(record["val"]["f1"] or 0.0)
    best = int(np.argmax(val_f1))
    result = {
        "photos": len(run.photos),
        "variant": settings.variant,
        "seed": settings.seed,
        "f1": state.history[best]["test"]["f1"] or 0.0,
        "val_f1": val_f1,
        "samples": len(val_f1) * photos,
        "best_samples": (best + 1) * photos,
    }
    write_json(run.result, result)
    checkpoint.unlink(missing_ok=True)
    return result


def exit_with_parent() -> None:
    """Exit when the main process is killed, so that a resumed run does not train beside this process."""
    main_process = parent_process()
    assert main_process is not None

    def wait() -> None:
        main_process.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def load_split(datasets: dict[str, list[Pair]], split: str, preprocessing: Preprocessing) -> PhotoArrays:
    pairs = {name: [pair for pair in pairs if pair.split == split] for name, pairs in datasets.items()}
    return load_arrays(pairs, preprocessing, 1)


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean and the range of F1 over the seeds, and how many runs ended while F1 was still rising.

    Args:
        results: returned by `train`.
    """
    scores: dict[str, dict[str, list[float]]] = {variant: {} for variant in VARIANTS}
    for result in sorted(results, key=lambda result: result["photos"]):
        scores[result["variant"]].setdefault(str(result["photos"]), []).append(result["f1"])
    f1 = {variant: {count: mean(values) for count, values in counts.items()} for variant, counts in scores.items()}
    f1_range: dict[str, dict[str, Interval]] = {
        variant: {count: (min(values), max(values)) for count, values in counts.items()}
        for variant, counts in scores.items()
    }
    at_limit = dict.fromkeys(VARIANTS, 0)
    for result in results:
        photos_per_round = result["samples"] // len(result["val_f1"])
        at_limit[result["variant"]] += not has_stopped_rising(result["val_f1"], photos_per_round)
    return {"f1": f1, "f1_range": f1_range, "at_limit": at_limit}


def add_to_repository(folder: Path, record: dict[str, Any]) -> None:
    """Add the curve to metrics.json of a model repository, as "transfer", and to its card."""
    repository = ModelRepository(folder)
    settings = record["settings"]
    transfer = Transfer(
        f1=record["f1"],
        f1_range=record["f1_range"],
        at_limit=record["at_limit"],
        image_size=settings["recipe"]["image_size"],
        **{name: settings[name] for name in ("datasets", "test_photos", "samples", "seeds")},
    )
    metrics = repository.metrics().model_copy(update={"transfer": transfer})
    repository.save_metrics(metrics)
    repository.save_card(render_card(repository.config, metrics, onnx_variants=repository.onnx_variants()))


def plot(path: Path, record: dict[str, Any]) -> None:
    """Plot the mean of F1 with its range over the number of photos."""
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    axis = figure.subplots()
    for variant, scores in record["f1"].items():
        photos, f1 = [int(count) for count in scores], np.array(list(scores.values()))
        lowest, highest = np.array([record["f1_range"][variant][count] for count in scores]).T
        axis.errorbar(
            photos,
            f1,
            (f1 - lowest, highest - f1),
            marker="o",
            capsize=4,
            color=VARIANT_COLOURS[variant],
            label=variant,
        )
    axis.set(xscale="log", xlabel="training photos", ylabel="F1 on test photos, mean and range of the seeds")
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    figure.savefig(path, dpi=120)


def create_recipe(image_size: int) -> Recipe:
    """Create the recipe of all runs: `modern` with the same settings in all epochs."""
    return replace(
        MODERN,
        schedule="constant",
        low_res_fraction=0.0,
        # Without a final phase, a recipe still changes the augmentation after its last epoch.
        final_augmentation=MODERN.augmentation,
        final_phase_fraction=0.0,
        image_size=image_size,
    )


def plan_runs(
    datasets: dict[str, list[Pair]], counts: list[int], settings: dict[str, Any], init: str, folder: Path
) -> list[Run]:
    """List the runs by seed, variant and number of photos; of each variant, the largest number first."""
    recipe = create_recipe(settings["recipe"]["image_size"])
    runs = []
    for seed in settings["seeds"]:
        for variant in reversed(VARIANTS):
            for count in reversed(counts):
                photos = order_training_photos(datasets, seed)[:count]
                name = f"{count}-{variant}-{seed}"
                start = "random" if variant == "random" else init
                run_settings = Settings(variant, settings["backbone"], start, recipe, seed, name)
                runs.append(Run(run_settings, photos, settings["samples"], folder / f"{name}.json"))
    return runs


def main() -> None:
    parser = create_parser(__doc__)
    parser.set_defaults(output=Path("runs/transfer.json"))
    parser.add_argument("--data", required=True, nargs="+", type=Path)
    parser.add_argument(
        "--photos", nargs="+", type=int, default=list(PHOTO_COUNTS), help="numbers of photos, in addition to all"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--samples", type=int, default=32_000, help="photos that a run trains on at most")
    parser.add_argument("--backbone", default="efficientnet_lite0", choices=list(BACKBONES))
    parser.add_argument("--init", help="initial weights of the pretrained variant, as for train.py")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--into", type=Path, help="model repository to add the curve to")
    args = parser.parse_args()
    if args.into:
        ModelRepository(args.into).validate()
    datasets = dict(find_pairs(folder) for folder in args.data)
    total = len(order_training_photos(datasets))
    counts = sorted({*args.photos, total})
    if counts[0] < 2 or counts[-1] > total:
        raise InputError(
            f"--photos {' '.join(map(str, args.photos))} is out of range.",
            remedy=f"Choose numbers from 2 to {total}, the number of training photos.",
        )
    if args.samples < total:
        raise InputError(
            f"--samples {args.samples} is less than one epoch.",
            remedy=f"Choose at least {total}, the number of training photos.",
        )
    init = args.init or default_init(args.backbone)
    settings = {
        "datasets": list(datasets),
        "training_photos": total,
        "test_photos": sum(pair.split == "test" for pairs in datasets.values() for pair in pairs),
        "backbone": args.backbone,
        "init": Path(init).name,
        "samples": args.samples,
        "seeds": args.seeds,
        "early_stopping": {"patience": PATIENCE, "min_delta": MIN_DELTA, "round": ROUND_SAMPLES},
        "recipe": asdict(create_recipe(args.image_size)),
    }
    folder = args.output.with_suffix(".runs")
    if folder.exists() and not args.output.exists():
        raise InputError(
            f"{folder} already has results, but {args.output} is missing.",
            remedy="Remove it or choose another --output.",
        )
    record = read_or_create_record(args.output, settings, "runs")
    write_json(args.output, record)
    folder.mkdir(exist_ok=True)
    runs = plan_runs(datasets, counts, settings, init, folder)
    with ProcessPoolExecutor(args.jobs, get_context("spawn"), initializer=exit_with_parent) as pool:
        futures = [pool.submit(train, run, datasets) for run in runs]
        for future in as_completed(futures):
            result = future.result()
            print(
                f"{result['photos']} photos, {result['variant']}, seed {result['seed']}: "
                f"F1 {result['f1']:.4f} after {result['best_samples']} of {result['samples']} samples",
                flush=True,
            )
    record["runs"] = [future.result() for future in futures]
    record |= summarise(record["runs"])
    write_json(args.output, record)
    plot(args.output.with_suffix(".png"), record)
    if args.into:
        add_to_repository(args.into, record)
    print(f"Wrote {args.output} and {args.output.with_suffix('.png').name}.")


if __name__ == "__main__":
    run(main)
