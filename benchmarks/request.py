"""The page's whole request for a 1-megapixel photo, as a ratio to the bare forward passes within it.

    python benchmarks/request.py [--backbones efficientnet_lite0 resnet101] [--output request.json]

A request is what the page shows of an upload: it is decoded, looked at and refined; both masks become PNG, the
recoloured photo JPEG. Masks and recolouring are asked for at once, as the browser does.
Bare are the same networks' forward passes on the same inputs, closer looks included, prepared beforehand, twice: one
after the other on all cores, and the variants side by side; the faster counts. "Plain" is one look of each variant in
float32 and PyTorch's own memory format, "fast" the same as the page takes it. Changing the colour is what another costs
once the alphas are known. All take turns in one run and medians are compared: absolute times depend on the machine, the
ratios much less. Processor time is that of all threads: on a machine with other work it is the steadier ratio. The
process that opens the photo is not counted in it; the wait for it is in the time by the wall clock. Memory and OpenCV's
threads are set as app.py sets them. How resnet101 is run without trained weights is said in benchmarks/common.py.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cv2
import numpy as np
import torch
from common import PORTRAIT, both_clocks, load_predictor, parser_of, report, time_in_turns
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from hairseg.cli.common import run
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


def measure(predictor: HairPredictor, upload: str, runs: int) -> dict:
    looks: dict[str, list[torch.Tensor]] = {variant: [] for variant in predictor.networks}
    watches = [
        network.register_forward_pre_hook(partial(lambda seen, _, inputs: seen.append(inputs[0]), looks[variant]))
        for variant, network in predictor.networks.items()
    ]
    predictor.alphas(load_photo(upload))
    for watch in watches:
        watch.remove()
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(len(looks), initializer=torch.set_num_threads, initargs=(max(1, threads // len(looks)),))
    plain = {
        variant: build_model(predictor.config.backbone).eval().to(predictor.device) for variant in looks
    }  # weights do not matter
    one_look = {variant: inputs[0][:1] for variant, inputs in looks.items()}

    @torch.inference_mode()
    def passes(variant: str) -> None:
        with autocast(predictor.device):
            for look in looks[variant]:
                predictor.networks[variant](look).cpu()

    @torch.inference_mode()
    def one_look_of_each(networks: dict, precision: str) -> None:
        for variant, look in one_look.items():
            look = look.contiguous() if precision == "float32" else look
            with autocast(predictor.device, precision):
                networks[variant](look).cpu()

    payload = {"photo": upload, "colour": COLOUR, "strength": STRENGTH, "variant": VARIANT}
    models, workers = ModelRegistry.from_predictor(predictor), Workers()
    studio = StudioService(PhotoStore(models), workers)

    def request() -> None:
        nonlocal studio
        studio = StudioService(PhotoStore(models), workers)  # nothing is cached yet

        async def both() -> None:
            await asyncio.gather(studio.segment(payload), studio.recolour(payload))

        asyncio.run(both())

    def colour_change() -> None:
        asyncio.run(studio.recolour(payload | {"strength": STRENGTH / 2}))

    methods = {
        "one after the other": lambda: [passes(variant) for variant in looks],
        "side by side": lambda: list(pool.map(passes, looks)),
        "request": request,
        "colour change": colour_change,
        "plain": lambda: one_look_of_each(plain, "float32"),
        "fast": lambda: one_look_of_each(predictor.networks, "mixed"),
    }
    seconds = time_in_turns(methods, runs, warm_ups=2, clock=both_clocks)
    medians = {name: 1000 * np.median(times, axis=0) for name, times in seconds.items()}
    bare = np.minimum(medians["one after the other"], medians["side by side"])
    ms, processor_ms = ({name: round(float(both[clock]), 1) for name, both in medians.items()} for clock in (0, 1))
    to_bare = {name: np.round(both / bare, 2).tolist() for name, both in medians.items()}
    return {
        "input": looks[VARIANT][0].shape[-1],
        "looks": {variant: sum(map(len, inputs)) for variant, inputs in looks.items()},
        "threads": threads,
        "runs": runs,
        "ms": ms,
        "processor_ms": processor_ms,
        "request_to_bare": to_bare["request"][0],
        "request_to_bare_in_processor_time": to_bare["request"][1],
        "colour_change_to_bare": to_bare["colour change"][0],
        "fast_to_plain": round(ms["fast"] / ms["plain"], 3),
    }


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--backbones", nargs="+", default=["efficientnet_lite0", "resnet101"])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    return_large_arrays_to_system()
    cv2.setNumThreads(1)
    portrait = cv2.resize(load_photo(PORTRAIT), (1000, 1000), interpolation=cv2.INTER_CUBIC)
    jpeg = cv2.imencode(".jpg", portrait[..., ::-1])[1].tobytes()
    upload = save_bytes_to_cache(jpeg, "portrait.jpg", get_upload_folder())
    result = {"photo": [1000, 1000]} | {
        backbone: measure(load_predictor(backbone, args.device, list(VARIANTS)), upload, args.runs)
        for backbone in args.backbones
    }
    report(result, args)


if __name__ == "__main__":
    run(main)
