"""The page's whole request for a 1-megapixel photo, as a ratio to the two bare forward passes within it.

    python benchmarks/request.py [--repo REPO] [--output request.json]

Both are timed in turn in one run and the medians compared: absolute times depend on the machine, the ratio much less.
A request is what /segment and /recolour do together: decode the upload, both alphas as PNG, the recoloured photo as
PNG. The colour change is what another colour costs once the alphas are known.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import cv2
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import app
from hairseg.commands import Parser, run
from hairseg.hub import default_repo, resolve
from hairseg.images import load_photo
from hairseg.model import autocast
from hairseg.prediction import HairPredictor
from hairseg.repository import write_json

PORTRAIT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"
COLOUR, STRENGTH, VARIANT = "#8e24aa", 0.9, "pretrained"


def milliseconds(call) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    parser = Parser(prog="request.py", description=__doc__.splitlines()[0])
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--output", type=Path, help="JSON file of the result")
    args = parser.parse_args()
    predictor = HairPredictor(resolve(args.repo).folder)
    portrait = cv2.resize(load_photo(PORTRAIT), (1000, 1000), interpolation=cv2.INTER_CUBIC)
    upload = Path(app.save_bytes_to_cache(cv2.imencode(".jpg", portrait[..., ::-1])[1].tobytes(), "portrait.jpg", app.get_upload_folder()))
    preset = predictor.config.preset
    squares = preset.normalise(torch.from_numpy(preset.fit_photo(portrait))[None])

    @torch.inference_mode()
    @autocast(predictor.device)
    def forward_passes():
        for network in predictor.networks.values():
            network(squares)

    def request() -> float:
        studio = app.Studio(predictor)  # remembers nothing yet
        began = time.perf_counter()
        studio.segment(str(upload))
        studio.recolour(str(upload), COLOUR, STRENGTH, VARIANT)
        whole = 1000 * (time.perf_counter() - began)
        changes.append(milliseconds(lambda: studio.recolour(str(upload), COLOUR, STRENGTH / 2, VARIANT)))
        return whole

    passes, requests, changes = [], [], []
    for _ in range(args.runs + 2):
        passes.append(milliseconds(forward_passes))
        requests.append(request())
    passes, requests, changes = (statistics.median(times[2:]) for times in (passes, requests, changes))
    result = {
        "photo": [1000, 1000], "backbone": predictor.config.backbone, "threads": torch.get_num_threads(), "runs": args.runs,
        "forward_passes_ms": round(passes, 1), "request_ms": round(requests, 1), "colour_change_ms": round(changes, 1),
        "request_to_forward_passes": round(requests / passes, 2),
        "colour_change_to_forward_passes": round(changes / passes, 2),
    }
    print(json.dumps(result, indent=2))
    if args.output:
        write_json(args.output, result)


if __name__ == "__main__":
    run(main)
