"""Which backbone and which input size give the best masks for their time.

    python benchmarks/backbones.py --data CelebAMask-HQ Figaro1k \\
        --init efficientnet_lite0=lite0.safetensors efficientnet_lite2=lite2.safetensors

The same command goes on where it was stopped. Every pretrained variant is trained for equally many frames of the same
photos by the recipe `modern` without scenes, which is short; then it is scored on the validation photos at their own
sizes, closer looks and refined edges included. Milliseconds are of one look, as served; all take turns, and the
medians are set beside the first one's: by the processor's time, which is steadier than the wall clock's.
"""

import json
import tempfile
from argparse import ArgumentTypeError
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from common import both_clocks, parser_of, time_in_turns
from trained import record_in, trained_weights

from hairseg.cli.common import run
from hairseg.data.datasets import find_pairs
from hairseg.evaluation.full_resolution import score_full_resolution
from hairseg.files import write_json
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.backbones import BACKBONES, build_model, default_init
from hairseg.networks.devices import autocast, prepare_for_inference, select_device
from hairseg.networks.preprocessing import Preprocessing
from hairseg.repository import ModelRepository
from hairseg.repository.config import Config, VariantConfig
from hairseg.training.checkpoints import Settings
from hairseg.training.recipes import MODERN

KINDS = ("efficientnet_lite0:320", "efficientnet_lite0:384", "efficientnet_lite2:320")

SCORES = ("f1", "boundary_iou", "median_f1", "auroc")


def kind(words: str) -> tuple[str, int]:
    """ "BACKBONE:SIZE"."""
    backbone, _, size = words.partition(":")
    if backbone not in BACKBONES or not size.isdecimal():
        raise ArgumentTypeError(f"{words!r} is no backbone ({', '.join(BACKBONES)}) and size, such as {KINDS[0]}")
    return backbone, int(size)


def init(words: str) -> tuple[str, str]:
    """ "BACKBONE=INIT"."""
    backbone, equals, start = words.partition("=")
    if backbone not in BACKBONES or not equals:
        raise ArgumentTypeError(f"{words!r} is no BACKBONE=INIT, such as efficientnet_lite0=imagenet")
    return backbone, start


def milliseconds(kinds: list[tuple[str, int]], runs: int, device: torch.device) -> dict[str, np.ndarray]:
    """Of one look by each as it is served, by the wall clock and of the processor."""
    networks = {backbone: prepare_for_inference(build_model(backbone).eval(), device) for backbone, _ in kinds}

    @torch.inference_mode()
    def look(backbone: str, size: int) -> None:
        with autocast(device):
            networks[backbone](torch.zeros(1, 3, size, size, device=device)).cpu()

    methods = {f"{backbone}:{size}": partial(look, backbone, size) for backbone, size in kinds}
    seconds = time_in_turns(methods, runs, warm_ups=3, clock=both_clocks)
    return {name: 1000 * np.median(times, axis=0) for name, times in seconds.items()}


def scores_of(weights: dict, backbone: str, size: int, found: dict, device: torch.device) -> dict[str, dict]:
    """Scores at the photos' own sizes, per data set."""
    with tempfile.TemporaryDirectory() as folder:
        repository = ModelRepository(folder)
        repository.save_weights("pretrained", backbone, weights)
        repository.save_config(Config.from_training(backbone, Preprocessing(size), {"pretrained": VariantConfig()}))
        predictor = HairPredictor(folder, ["pretrained"], device)
        scores = {
            dataset: score_full_resolution(predictor, dataset, [pair for pair in pairs if pair.split == "val"])
            for dataset, pairs in found.items()
        }
    return {
        dataset: {name: round(getattr(of_dataset.variants["pretrained"], name), 4) for name in SCORES}
        for dataset, of_dataset in scores.items()
    }


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.set_defaults(output=Path("runs/backbones.json"))
    parser.add_argument("--data", required=True, nargs="+", type=Path)
    parser.add_argument("--kinds", nargs="+", type=kind, default=[kind(words) for words in KINDS])
    parser.add_argument(
        "--init", nargs="+", type=init, default=[], help="BACKBONE=INIT, what it starts from, as for train.py"
    )
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=21, help="looks that are timed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=2, help="threads that decode photos")
    args = parser.parse_args()
    inits = dict(args.init)
    found = dict(find_pairs(folder) for folder in args.data)
    photos = [(dataset, pair) for dataset, pairs in found.items() for pair in pairs if pair.split == "train"]
    device, recipe = select_device(args.device), replace(MODERN, epochs=args.epochs)
    accelerator = Accelerator(cpu=device.type == "cpu")
    settings = {"datasets": list(found), "training_photos": len(photos), "recipe": asdict(recipe)}
    record = record_in(args.output, settings, "kinds")
    for backbone, size in args.kinds:
        name = f"{backbone}:{size}"
        if name in record["kinds"]:
            continue
        start = inits.get(backbone, default_init(backbone))
        of_kind = Settings("pretrained", backbone, start, replace(recipe, image_size=size), 0, str(len(photos)))
        weights = trained_weights(of_kind, photos, accelerator, args.workers)
        megabytes = sum(tensor.nbytes for tensor in weights.values()) / 2e6  # as they are kept, in half precision
        record["kinds"][name] = {"megabytes": round(megabytes, 1)} | scores_of(weights, backbone, size, found, device)
        print(name, record["kinds"][name], flush=True)
        write_json(args.output, record)
    times = milliseconds(args.kinds, args.runs, device)
    first = next(iter(times.values()))
    for name, (wall, processor) in times.items():
        record["kinds"][name] |= {
            "ms": round(float(wall), 1), "processor_ms": round(float(processor), 1),
            "to_first": round(float(processor / first[1]), 2),
        }  # fmt: skip
    write_json(args.output, record)
    print(json.dumps(record["kinds"], indent=2))


if __name__ == "__main__":
    run(main)
