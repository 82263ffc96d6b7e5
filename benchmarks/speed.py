"""Time of HairSeg with each engine, and of MediaPipe's hair segmenter.

    pip install "hairseg[fast]" ai-edge-litert
    python benchmarks/speed.py --mediapipe mediapipe_hair_segmentation.tflite [--output speed.json]

docs/results.md has a link to MediaPipe's weights. The photo is a portrait of 1,000 x 1,000, and times are from the
array to alpha at the same size. A page request is that of request.py, the folder that of folder.py without reading the
arguments: masks and cut-outs. "Another colour" recolours 1,280 x 1,280 pixels of drawn hair. "Stages" are those of
one variant's alpha. Times are medians; all methods alternate in one run.
"""

import os
import platform
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from common import PORTRAIT, create_parser, report, run, time_alternately
from folder import write_photos
from peer_networks import MediaPipe
from recolour import COLOUR, draw_hair
from request import PageRequest, write_upload

from hairseg.hub.resolve import default_repo, resolve
from hairseg.images import load_photo
from hairseg.inference.folder import find_photos, process_photos
from hairseg.inference.multiscale import find_zoom_windows, merge_passes
from hairseg.inference.predictor import HairPredictor, run_network
from hairseg.memory import return_large_arrays_to_system
from hairseg.networks.devices import supports_bfloat16
from hairseg.paper import VARIANTS
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import RecolourSettings

VARIANT = "pretrained"
SIDE = 1000  # pixels, of the photo
DISPLAY_SIDE = 1280  # pixels, of the recoloured photo

Methods = dict[str, Callable[[], object]]


def requests(both: HairPredictor, one: HairPredictor, photo: np.ndarray, upload: str) -> Methods:
    """Return the operations that users wait for."""
    page = PageRequest(both, upload)
    return {
        "one variant": lambda: one.alphas(photo),
        "coarse pass": lambda: one.predict_single_pass(photo, VARIANT),
        "both variants": lambda: both.alphas(photo),
        "page request": page.run,
    }


def stages(predictor: HairPredictor, photo: np.ndarray) -> Methods:
    """Return the stages of computing the alpha of one variant."""
    network, preprocessing = predictor.networks[VARIANT], predictor.config.preprocessing
    shape, size = (photo.shape[0], photo.shape[1]), predictor.config.image_size
    square = torch.from_numpy(preprocessing.fit_photo(photo)[None])
    with torch.inference_mode():
        batch = preprocessing.normalise(square)
    (logits,) = run_network(network, batch)
    coarse = logits[preprocessing.window(*shape)]
    windows = find_zoom_windows(coarse, shape)
    batches = [preprocessing.normalise(torch.from_numpy(preprocessing.fit_photo(photo[w])[None])) for w in windows]
    zoomed = [
        run_network(network, zoom)[0][preprocessing.window(*photo[w].shape[:2])]
        for zoom, w in zip(batches, windows, strict=True)
    ]
    merged = merge_passes(shape, size, coarse, windows, zoomed)
    return {
        "scaling to the input": lambda: preprocessing.fit_photo(photo),
        "normalisation": lambda: preprocessing.normalise(square),
        "forward pass": lambda: run_network(network, batch),
        "windows and merge": lambda: merge_passes(shape, size, coarse, find_zoom_windows(coarse, shape), zoomed),
        "alpha at the photo's size": lambda: merged.alpha(photo, refined=False),
        "the same, refined": lambda: merged.alpha(photo),
    }


def process_folder(predictor: HairPredictor, folder: Path) -> None:
    output = folder.with_name("out")
    photos = find_photos([folder], output)
    failed = [
        result.error
        for result in process_photos(photos, predictor, VARIANT, ["alpha", "cutout"], None, RecolourSettings())
        if result.error
    ]
    if failed:
        raise RuntimeError(failed[0])


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--engines", nargs="+", default=["pytorch", "openvino"])
    parser.add_argument("--mediapipe", type=Path, metavar="TFLITE", help="weights of MediaPipe's hair segmenter")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--folder-runs", type=int, default=5)
    parser.add_argument("--photos-per-run", type=int, default=8)
    args = parser.parse_args()
    return_large_arrays_to_system()
    cv2.setNumThreads(1)  # as on the page
    photo = cv2.resize(load_photo(PORTRAIT), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    upload, repo = write_upload(), resolve(args.repo).folder
    one = {engine: HairPredictor(repo, [VARIANT], engine=engine) for engine in args.engines}
    methods: Methods = {}
    for engine in args.engines:
        both = HairPredictor(repo, VARIANTS, engine=engine)
        for name, method in requests(both, one[engine], photo, upload).items():
            methods[f"{name}, {engine}"] = method
        for name, method in stages(one[engine], photo).items():
            methods[f"{name}, {engine}"] = method
    if args.mediapipe:
        network = MediaPipe(args.mediapipe)
        methods["MediaPipe"] = lambda: network.alpha(photo)
    recolourer = HairRecolourer(*draw_hair(DISPLAY_SIDE))
    methods["another colour"] = lambda: recolourer.recolour(COLOUR)
    seconds = time_alternately(methods, args.runs, warm_ups=2)
    ms = {name: round(1000 * float(np.median(times)), 1) for name, times in seconds.items()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = write_photos(Path(temporary) / "photos", SIDE, args.photos_per_run)
        folders: Methods = {engine: partial(process_folder, one[engine], folder) for engine in args.engines}
        rates = {
            engine: round(args.photos_per_run / float(np.median(times)), 1)
            for engine, times in time_alternately(folders, args.folder_runs).items()
        }
    result: dict[str, Any] = {
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "bfloat16": supports_bfloat16(torch.device("cpu")),
        "runs": args.runs,
        "ms": ms,
        "folder_photos_per_second": rates,
    }
    if args.mediapipe:
        result["relative_to_mediapipe"] = {name: round(value / ms["MediaPipe"], 2) for name, value in ms.items()}
    report(result, args.output)


if __name__ == "__main__":
    run(main)
