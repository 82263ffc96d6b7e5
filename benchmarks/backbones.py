"""Accuracy and time of backbones and input sizes.

    python benchmarks/backbones.py --data CelebAMask-HQ Figaro1k \\
        --init efficientnet_lite0=lite0.safetensors efficientnet_lite2=lite2.safetensors

The same command resumes an interrupted run. Every model is trained for equally many steps on the same photos by the
recipe `modern` without scenes, which is short. It is scored on the validation photos at full resolution, with zoomed
passes and refinement. Milliseconds are those of one forward pass as served. All models alternate, and medians of CPU
time, which is steadier than the wall clock, are compared with the first model.
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
from common import create_parser, run, time_alternately, wall_and_cpu_seconds
from short_training import read_or_create_record, train_weights

from hairseg.data.datasets import Pair, find_pairs
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

DEFAULT_MODELS = ("efficientnet_lite0:320", "efficientnet_lite0:384", "efficientnet_lite2:320")

SCORES = ("f1", "boundary_iou", "median_f1", "auroc")


def parse_model(text: str) -> tuple[str, int]:
    """Parse "BACKBONE:SIZE"."""
    backbone, _, size = text.partition(":")
    if backbone not in BACKBONES or not size.isdecimal():
        raise ArgumentTypeError(
            f"{text!r} is not a backbone ({', '.join(BACKBONES)}) and size, such as {DEFAULT_MODELS[0]}"
        )
    return backbone, int(size)


def parse_init(text: str) -> tuple[str, str]:
    """Parse "BACKBONE=INIT"."""
    backbone, equals, init = text.partition("=")
    if backbone not in BACKBONES or not equals:
        raise ArgumentTypeError(f"{text!r} is not BACKBONE=INIT, such as efficientnet_lite0=imagenet")
    return backbone, init


def measure_ms(models: list[tuple[str, int]], runs: int, device: torch.device) -> dict[str, np.ndarray]:
    """Time one forward pass of each model as served: wall clock and CPU time in milliseconds."""
    networks = {backbone: prepare_for_inference(build_model(backbone).eval(), device) for backbone, _ in models}

    @torch.inference_mode()
    def run_forward_pass(backbone: str, size: int) -> None:
        with autocast(device):
            networks[backbone](torch.zeros(1, 3, size, size, device=device)).cpu()

    methods = {f"{backbone}:{size}": partial(run_forward_pass, backbone, size) for backbone, size in models}
    seconds = time_alternately(methods, runs, warm_ups=3, clock=wall_and_cpu_seconds)
    return {name: 1000 * np.median(times, axis=0) for name, times in seconds.items()}


def score_model(
    weights: dict[str, torch.Tensor], backbone: str, size: int, datasets: dict[str, list[Pair]], device: torch.device
) -> dict[str, dict[str, float]]:
    """Score on the validation photos at full resolution, per data set."""
    with tempfile.TemporaryDirectory() as folder:
        repository = ModelRepository(folder)
        repository.save_weights("pretrained", backbone, weights)
        repository.save_config(Config.from_training(backbone, Preprocessing(size), {"pretrained": VariantConfig()}))
        predictor = HairPredictor(folder, ["pretrained"], device)
        scores = {
            dataset: score_full_resolution(predictor, dataset, [pair for pair in pairs if pair.split == "val"])
            for dataset, pairs in datasets.items()
        }
    return {
        dataset: {name: round(getattr(score.variants["pretrained"], name), 4) for name in SCORES}
        for dataset, score in scores.items()
    }


def main() -> None:
    parser = create_parser(__doc__)
    parser.set_defaults(output=Path("runs/backbones.json"))
    parser.add_argument("--data", required=True, nargs="+", type=Path)
    parser.add_argument("--models", nargs="+", type=parse_model, default=[parse_model(text) for text in DEFAULT_MODELS])
    parser.add_argument("--init", nargs="+", type=parse_init, default=[], help="BACKBONE=INIT, as --init of train.py")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=21, help="timed forward passes")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=2, help="threads that decode photos")
    args = parser.parse_args()
    inits = dict(args.init)
    datasets = dict(find_pairs(folder) for folder in args.data)
    photos = [(dataset, pair) for dataset, pairs in datasets.items() for pair in pairs if pair.split == "train"]
    device, recipe = select_device(args.device), replace(MODERN, epochs=args.epochs)
    accelerator = Accelerator(cpu=device.type == "cpu")
    settings = {"datasets": list(datasets), "training_photos": len(photos), "recipe": asdict(recipe)}
    record = read_or_create_record(args.output, settings, "models")
    for backbone, size in args.models:
        name = f"{backbone}:{size}"
        if name in record["models"]:
            continue
        init = inits.get(backbone, default_init(backbone))
        training = Settings("pretrained", backbone, init, replace(recipe, image_size=size), 0, str(len(photos)))
        weights = train_weights(training, photos, accelerator, args.workers)
        megabytes = sum(tensor.nbytes for tensor in weights.values()) / 2e6  # saved in half precision
        scores = score_model(weights, backbone, size, datasets, device)
        record["models"][name] = {"megabytes": round(megabytes, 1), **scores}
        print(name, record["models"][name], flush=True)
        write_json(args.output, record)
    times = measure_ms(args.models, args.runs, device)
    first = next(iter(times.values()))
    for name, (wall, cpu) in times.items():
        relative = round(float(cpu / first[1]), 2)
        record["models"][name] |= {
            "ms": round(float(wall), 1),
            "cpu_ms": round(float(cpu), 1),
            "relative_to_first": relative,
        }
    write_json(args.output, record)
    print(json.dumps(record["models"], indent=2))


if __name__ == "__main__":
    run(main)
