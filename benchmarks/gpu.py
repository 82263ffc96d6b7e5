"""Training and serving speed on a GPU; results are written after every part.

    python benchmarks/gpu.py --data CelebAMask-HQ --output gpu.json
    python benchmarks/gpu.py --data CelebAMask-HQ --parts matrix_product steps       selected parts
    python benchmarks/gpu.py --data CelebAMask-HQ --device cpu --trial       every part once, tiny, as a test

The parts: the rate of a large matrix product, and training steps of DeepLabV3-ResNet101 relative to it; the time of the
paper's pretrained run; time and AUROC of the paper's random-init run on the data; mixed precision against float32 over
seeds; whether training waits for augmented photos; memory; and photos per second when serving, in batches of fixed
sizes and with forward passes that threads share, as on the page.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from common import create_parser, run, time_alternately
from torch.utils.flop_counter import FlopCounterMode

from hairseg.data.augmentation import SOURCE_SIZE
from hairseg.data.datasets import SPLITS, find_pairs
from hairseg.data.decoded import PhotoArrays, load_arrays
from hairseg.data.rendering import RenderBatch, render
from hairseg.files import write_json
from hairseg.inference.batching import Batcher
from hairseg.inference.predictor import run_network
from hairseg.networks.backbones import BACKBONES, build_model
from hairseg.networks.devices import autocast, prepare_for_inference, select_device
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import PAPER_AUROC
from hairseg.training.batches import epoch_loader
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import TrainingResult, train_variant
from hairseg.training.recipes import MODERN, OPTIMISERS, RECIPES, Recipe
from hairseg.training.step import TrainingStep

PAPER_TRAINING_PHOTOS, PAPER_TEST_PHOTOS = 2000, 600
PAPER_HOURS = {"pretrained": 6, "random": 3}  # on a GTX 1060
SEEDS = (0, 1, 2)


class GpuBenchmark:
    """Data, device and results; every name in PARTS is a method that returns its results."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.device, self.trial, self.results = select_device(args.device), args.trial, {}
        self.accelerator = Accelerator(cpu=self.device.type == "cpu")
        self.backbone = "efficientnet_lite0" if args.trial else "resnet101"
        self.size = 64 if args.trial else 256
        dataset, pairs = find_pairs(args.data)
        chosen = {name: [pair for pair in pairs if pair.split == name][: 12 if args.trial else None] for name in SPLITS}
        self.splits = {
            name: load_arrays({dataset: split}, Preprocessing(self.size), args.workers)
            for name, split in chosen.items()
        }
        self.splits["scenes"] = self.splits["val"]
        self.large = load_arrays({dataset: chosen["train"]}, Preprocessing(SOURCE_SIZE), args.workers)
        self.workers = args.workers

    def median_seconds(self, call: Callable[[], object], runs: int, warm_ups: int = 3) -> float:
        """Time a call, including the work it leaves to the device."""
        return statistics.median(time_alternately({"call": call}, runs, warm_ups, self.synchronise)["call"])

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def train(
        self, variant: str, backbone: str, recipe: Recipe, splits: dict[str, PhotoArrays], seed: int = 0
    ) -> tuple[TrainingResult, float]:
        """Train and return the result and the seconds."""
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(variant, backbone, "random", recipe, seed, "benchmark")
            began = time.perf_counter()
            result = train_variant(settings, splits, self.accelerator, Path(folder) / "c.pt", workers=self.workers)
            return result, time.perf_counter() - began

    def matrix_product(self) -> dict[str, Any]:
        side = 512 if self.trial else 8192
        one, other = (torch.randn(side, side, device=self.device, dtype=torch.bfloat16) for _ in range(2))
        return {"side": side, "tflops": round(2 * side**3 / self.median_seconds(lambda: one @ other, 20) / 1e12, 4)}

    def steps(self) -> dict[str, Any]:
        """Time training steps on photos in memory; PyTorch counts the operations, forward and backward."""
        peak, results = (self.results.get("matrix_product") or self.matrix_product())["tflops"], {}
        sizes = (2, 4) if self.trial else (6, 64)
        for precision, batch_size in itertools.product(("mixed", "float32"), sizes):
            photos = torch.randint(0, 256, (batch_size, self.size, self.size, 3), dtype=torch.uint8, device=self.device)
            masks = torch.randint(0, 2, photos.shape[:3], dtype=torch.uint8, device=self.device)
            network = build_model(self.backbone).to(self.device).to(memory_format=torch.channels_last).train()
            recipe = replace(RECIPES["paper"]["pretrained"], precision=precision)
            optimiser = OPTIMISERS[recipe.optimiser](network.parameters(), lr=1e-4, fused=True)
            with FlopCounterMode(display=False) as counter:
                TrainingStep(network, recipe, Preprocessing(self.size), self.device).run_eagerly(photos, masks)
            step = TrainingStep(network, recipe, Preprocessing(self.size), self.device)

            def train(step=step, photos=photos, masks=masks, optimiser=optimiser) -> None:
                step(photos, masks)
                optimiser.step()

            median = self.median_seconds(train, 20 if not self.trial else 2, 6)
            tflops = counter.get_total_flops() / median / 1e12
            results[f"batch {batch_size}, {precision}"] = {
                "ms": round(1000 * median, 2),
                "photos_per_second": round(batch_size / median, 1),
                "tflops": round(tflops, 2),
                "fraction_of_matrix_product": round(tflops / peak, 3),
            }
            print(f"steps, batch {batch_size}, {precision}: {1000 * median:.2f} ms", flush=True)
        return results

    def paper_pretrained_time(self) -> dict[str, Any]:
        """Time 15 epochs of 2,000 training and 600 test photos with batch size 6; the data's photos are repeated."""

        def repeat(split: PhotoArrays, count: int) -> PhotoArrays:
            chosen = torch.arange(count) % len(split)
            return PhotoArrays(split.photos[chosen], split.masks[chosen])

        count, tests = (12, 4) if self.trial else (PAPER_TRAINING_PHOTOS, PAPER_TEST_PHOTOS)
        splits = self.splits | {
            "train": repeat(self.splits["train"], count),
            "test": repeat(self.splits["test"], tests),
        }
        recipe = RECIPES["paper"]["pretrained"]
        recipe = replace(recipe, image_size=self.size, epochs=2 if self.trial else recipe.epochs)
        result, seconds = self.train("pretrained", self.backbone, recipe, splits)
        return {
            "photos": count,
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "seconds": round(seconds, 1),
            "seconds_per_epoch": [record["seconds"] for record in result.history],
            "paper_hours": PAPER_HOURS["pretrained"],
        }

    def paper_random(self) -> dict[str, Any]:
        """Run the paper's random-init training on the data's split."""
        recipe = replace(RECIPES["paper"]["random"], image_size=self.size)
        result, seconds = self.train(
            "random", self.backbone, replace(recipe, epochs=2) if self.trial else recipe, self.splits
        )
        return {
            "photos": len(self.splits["train"]),
            "seconds": round(seconds, 1),
            "paper_hours": PAPER_HOURS["random"],
            "paper_auroc": PAPER_AUROC["random"],
            "kept_epoch": result.best_epoch,
            "history": result.history,
        }

    def precision(self) -> dict[str, Any]:
        """Compare test AUROC over seeds: the paper's random-init training, EfficientNet-Lite0, learning rate 1e-3."""
        recipe = replace(
            RECIPES["paper"]["random"], image_size=self.size, learning_rate=1e-3, epochs=1 if self.trial else 4
        )
        scores = {
            precision: [
                self.train("random", "efficientnet_lite0", replace(recipe, precision=precision), self.splits, seed)[
                    0
                ].history[-1]["test"]["auroc"]
                or 0.0
                for seed in SEEDS[: 2 if self.trial else None]
            ]
            for precision in ("mixed", "float32")
        }
        return {
            name: {
                "auroc": [round(score, 5) for score in values],
                "mean": round(float(np.mean(values)), 5),
                "deviation": round(float(np.std(values, ddof=1)), 5),
            }
            for name, values in scores.items()
        }

    def augmentation(self) -> dict[str, Any]:
        """Time steps of the modern recipe with newly augmented photos, and with one batch in memory."""
        recipe = replace(MODERN, batch_size=4 if self.trial else 64, image_size=64 if self.trial else MODERN.image_size)
        settings, preprocessing = (
            Settings("random", "efficientnet_lite0", "random", recipe, 0, ""),
            Preprocessing(recipe.image_size),
        )
        network = build_model("efficientnet_lite0").to(self.device).to(memory_format=torch.channels_last).train()
        step = TrainingStep(network, recipe, preprocessing, self.device)
        splits = self.splits | {"train": self.large, "scenes": self.large}
        workers = self.workers if self.device.type == "cuda" else 0
        frames = itertools.chain.from_iterable(
            epoch_loader(settings, splits, preprocessing, epoch, workers) for epoch in itertools.count(1)
        )
        ready = RenderBatch(*send_to_device(next(frames), self.device))
        rendered = render(ready, preprocessing)
        runs = 2 if self.trial else 20
        methods = {
            "step_ms": lambda: step(*rendered),
            "render_ms": lambda: render(ready, preprocessing),
            "total_ms": lambda: step(
                *render(RenderBatch(*send_to_device(next(frames), self.device, non_blocking=True)), preprocessing)
            ),
        }
        return {"batch_size": recipe.batch_size, "image_size": recipe.image_size, "workers": workers} | {
            name: round(1000 * self.median_seconds(call, runs, 6), 2) for name, call in methods.items()
        }

    def memory(self) -> dict[str, Any]:
        """Peak GPU memory of training at 256 x 256 with batch size 6 in mixed precision, MiB."""
        if self.device.type != "cuda":
            return {}
        peaks = {}
        for backbone in BACKBONES:
            network = build_model(backbone).to(self.device).to(memory_format=torch.channels_last).train()
            optimiser = torch.optim.Adam(network.parameters(), fused=True)
            photos = torch.zeros(6, 256, 256, 3, dtype=torch.uint8, device=self.device)
            torch.cuda.reset_peak_memory_stats()
            step = TrainingStep(network, RECIPES["paper"]["random"], Preprocessing(), self.device)
            for _ in range(2):
                step.run_eagerly(photos, photos[..., 0])
                optimiser.step()
            peaks[backbone] = round(torch.cuda.max_memory_allocated() / 2**20)
            del network, optimiser
        return peaks

    @torch.inference_mode()
    def serving(self) -> dict[str, Any]:
        """Photos per second of one network in batches of 1 and 16."""
        results = {}
        for backbone in ("efficientnet_lite0", self.backbone):
            network = build_model(backbone).to(self.device).to(memory_format=torch.channels_last).eval()
            for batch_size in (1, 16):
                photos = torch.randn(batch_size, 3, self.size, self.size, device=self.device).to(
                    memory_format=torch.channels_last
                )
                with autocast(self.device):
                    median = self.median_seconds(partial(network, photos), 3 if self.trial else 20)
                results[f"{backbone}, batch {batch_size}"] = round(batch_size / median, 1)
        return results

    def shared_passes(self) -> dict[str, Any]:
        """Photos per second of one network for 1 and 16 threads, each of which sends one photo at a time."""
        results, photos = {}, 2 if self.trial else 50
        square = torch.randn(1, 3, self.size, self.size, device=self.device)
        for backbone in ("efficientnet_lite0", self.backbone):
            network = prepare_for_inference(build_model(backbone).eval(), self.device)
            batcher = Batcher(run_network)

            def send(count: int, batcher: Batcher = batcher, network: torch.nn.Module = network) -> None:
                for _ in range(count):
                    batcher(network, square)

            for threads in (1, 16):
                with ThreadPoolExecutor(threads) as pool:
                    visit = partial(pool.map, send, [photos] * threads)
                    median = self.median_seconds(lambda visit=visit: list(visit()), 1 if self.trial else 5, 1)
                results[f"{backbone}, {threads} threads"] = round(threads * photos / median, 1)
        return results


PARTS = (
    "matrix_product",
    "steps",
    "memory",
    "serving",
    "shared_passes",
    "augmentation",
    "paper_pretrained_time",
    "paper_random",
    "precision",
)


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS, help="all by default")
    parser.add_argument("--minutes", type=float, default=8.5, help="no part starts after this time")
    parser.add_argument("--trial", action="store_true", help="tiny networks, photos and counts")
    args = parser.parse_args()
    began = time.perf_counter()
    benchmark = GpuBenchmark(args)
    name = torch.cuda.get_device_name() if benchmark.device.type == "cuda" else "cpu"
    benchmark.results = {"device": name, "torch": torch.__version__, "trial": args.trial}
    for part in args.parts:
        if time.perf_counter() - began > 60 * args.minutes:
            benchmark.results.setdefault("skipped", []).append(part)
            continue
        started = time.perf_counter()
        benchmark.results[part] = getattr(benchmark, part)()
        print(f"{part}, {time.perf_counter() - started:.0f} s: {json.dumps(benchmark.results[part])}", flush=True)
        if args.output:
            write_json(args.output, benchmark.results)


if __name__ == "__main__":
    run(main)
