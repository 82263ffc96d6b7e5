"""Time of the page's request for a 1-megapixel photo, relative to its forward passes alone.

    python benchmarks/request.py [--backbones efficientnet_lite0 resnet101] [--output request.json]

A request is what follows an upload: decoding, prediction and refinement, both masks as PNG and the recoloured photo as
JPEG. Masks and recoloured photo are requested at once, as a browser does.

"Forward passes" are those of the same networks on the same inputs, zoomed passes included, prepared before: either one
after the other on all cores, or both variants in parallel; the faster counts. "Single pass, float32" is one pass of
each variant in float32 and PyTorch's default memory format; "single pass, as served" is the same on the page. "Another
colour" is a change of colour when the alphas are known. All alternate in one run and medians are compared, since ratios
depend less on the machine than times. CPU time is that of all threads of this process, without the decoder process.
Memory and OpenCV's threads are set as by app.py. resnet101 has no trained weights here; `load_predictor` in common.py
says how it runs.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from common import PORTRAIT, create_parser, load_predictor, report, run, time_alternately, wall_and_cpu_seconds
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from torch import nn

from hairseg.images import load_photo
from hairseg.inference.predictor import HairPredictor
from hairseg.memory import return_large_arrays_to_system
from hairseg.networks.backbones import build_model
from hairseg.networks.devices import autocast
from hairseg.page.registry import ModelRegistry
from hairseg.page.store import PhotoStore
from hairseg.page.studio.studio import StudioService
from hairseg.page.workers import Workers
from hairseg.paper import VARIANTS

COLOUR, STRENGTH, VARIANT = "#8e24aa", 0.9, "pretrained"


class PageRequest:
    """The concurrent requests after an upload: both masks, and the recoloured photo."""

    def __init__(self, predictor: HairPredictor, upload: str):
        self._payload = {"photo": upload, "colour": COLOUR, "strength": STRENGTH, "variant": VARIANT}
        self._models, self._workers = ModelRegistry.from_predictor(predictor), Workers()
        self._studio = StudioService(PhotoStore(self._models), self._workers)

    def run(self) -> None:
        self._studio = StudioService(PhotoStore(self._models), self._workers)  # an empty cache

        async def both() -> None:
            await asyncio.gather(self._studio.segment(self._payload), self._studio.recolour(self._payload))

        asyncio.run(both())

    def change_colour(self) -> None:
        asyncio.run(self._studio.recolour(self._payload | {"strength": STRENGTH / 2}))


def write_upload() -> str:
    """Write a portrait of 1 megapixel where the page keeps uploads, and return its path."""
    portrait = cv2.resize(load_photo(PORTRAIT), (1000, 1000), interpolation=cv2.INTER_CUBIC)
    jpeg = cv2.imencode(".jpg", portrait[..., ::-1])[1].tobytes()
    return save_bytes_to_cache(jpeg, "portrait.jpg", get_upload_folder())


def measure(predictor: HairPredictor, upload: str, runs: int) -> dict[str, Any]:
    batches: dict[str, list[torch.Tensor]] = {variant: [] for variant in predictor.networks}
    hooks = [
        network.register_forward_pre_hook(partial(lambda seen, _, inputs: seen.append(inputs[0]), batches[variant]))
        for variant, network in predictor.networks.items()
    ]
    predictor.alphas(load_photo(upload))
    for hook in hooks:
        hook.remove()
    threads = torch.get_num_threads()
    threads_per_variant = max(1, threads // len(batches))
    pool = ThreadPoolExecutor(len(batches), initializer=torch.set_num_threads, initargs=(threads_per_variant,))
    backbone = predictor.config.backbone
    float32_networks = {variant: build_model(backbone).eval().to(predictor.device) for variant in batches}

    @torch.inference_mode()
    def run_forward_passes(variant: str) -> None:
        with autocast(predictor.device):
            for batch in batches[variant]:
                predictor.networks[variant](batch).cpu()

    @torch.inference_mode()
    def run_single_passes(networks: Mapping[str, nn.Module], precision: str) -> None:
        for variant, (batch, *_) in batches.items():
            photo = batch[:1].contiguous() if precision == "float32" else batch[:1]
            with autocast(predictor.device, precision):
                networks[variant](photo).cpu()

    request = PageRequest(predictor, upload)
    methods = {
        "forward passes, sequential": lambda: [run_forward_passes(variant) for variant in batches],
        "forward passes, parallel": lambda: list(pool.map(run_forward_passes, batches)),
        "request": request.run,
        "another colour": request.change_colour,
        "single pass, float32": lambda: run_single_passes(float32_networks, "float32"),
        "single pass, as served": lambda: run_single_passes(predictor.networks, "mixed"),
    }
    seconds = time_alternately(methods, runs, warm_ups=2, clock=wall_and_cpu_seconds)
    medians = {name: 1000 * np.median(times, axis=0) for name, times in seconds.items()}
    passes = np.minimum(medians["forward passes, sequential"], medians["forward passes, parallel"])
    relative = {name: np.round(times / passes, 2).tolist() for name, times in medians.items()}
    ms, cpu_ms = ({name: round(float(times[clock]), 1) for name, times in medians.items()} for clock in (0, 1))
    return {
        "input": batches[VARIANT][0].shape[-1],
        "passes": {variant: sum(map(len, inputs)) for variant, inputs in batches.items()},
        "threads": threads,
        "runs": runs,
        "ms": ms,
        "cpu_ms": cpu_ms,
        "request_to_passes": relative["request"][0],
        "request_to_passes_in_cpu_time": relative["request"][1],
        "another_colour_to_passes": relative["another colour"][0],
        "served_to_float32": round(ms["single pass, as served"] / ms["single pass, float32"], 3),
    }


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--backbones", nargs="+", default=["efficientnet_lite0", "resnet101"])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    return_large_arrays_to_system()
    cv2.setNumThreads(1)
    upload = write_upload()
    result: dict[str, Any] = {"photo": [1000, 1000]}
    for backbone in args.backbones:
        result[backbone] = measure(load_predictor(backbone, args.device, list(VARIANTS)), upload, args.runs)
    report(result, args.output)


if __name__ == "__main__":
    run(main)
