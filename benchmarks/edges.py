"""Accuracy and time of methods that sharpen a network's alpha.

    pip install pymatting
    python benchmarks/edges.py --data CelebAMask-HQ [--limit 20] [--output edges.json]

Compared are the network's alpha at the photo's size, the guided filter of `refine_alpha`, and closed-form matting
(A. Levin et al., TPAMI 2008, by PyMatting) of the pixels whose alpha is uncertain. Times are medians, relative to the
guided filter.
"""

import statistics
import time
from pathlib import Path

import numpy as np
from common import create_parser, report, run

from hairseg.data.datasets import find_pairs
from hairseg.errors import InputError
from hairseg.evaluation.full_resolution import load_full_resolution
from hairseg.evaluation.metrics import MaskCounts
from hairseg.hub.resolve import default_repo, resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.inference.refinement import refine_alpha
from hairseg.networks.preprocessing import IGNORE

TRIMAP_MARGIN = 0.05  # alpha closer to 0 or 1 is fixed in closed-form matting

try:
    from pymatting import estimate_alpha_cf  # pyright: ignore[reportMissingImports]  (optional)
except ImportError:
    estimate_alpha_cf = None


def closed_form(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    trimap = np.where(alpha > 1 - TRIMAP_MARGIN, 1.0, np.where(alpha < TRIMAP_MARGIN, 0.0, 0.5))
    if trimap.min() > 0 or trimap.max() < 1:  # matting needs both known hair and known background
        return alpha
    return estimate_alpha_cf(photo / 255.0, trimap).astype(np.float32)  # pyright: ignore[reportOptionalCall]


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    parser.add_argument("--limit", type=int, default=20, help="photos")
    args = parser.parse_args()
    if estimate_alpha_cf is None:
        raise InputError("PyMatting is not installed.", remedy="Run pip install pymatting.")
    predictor = HairPredictor(resolve(args.repo).folder, ["pretrained"])
    image_size = predictor.config.image_size
    methods = {
        "network": lambda photo, alpha: alpha,
        "guided filter": lambda photo, alpha: refine_alpha(photo, alpha, max(photo.shape) / image_size),
        "closed form": closed_form,
    }
    dataset, pairs = find_pairs(args.data)
    chosen = [pair for pair in pairs if pair.split == args.split][: args.limit]
    if not chosen:
        raise InputError(f"{args.data} has no photos in the {args.split} split.", remedy="Choose another --split.")
    scores = {method: MaskCounts() for method in methods}
    errors, seconds = ({method: [] for method in methods} for _ in range(2))
    for pair in chosen:
        photo, mask = load_full_resolution(pair, dataset)
        alpha = predictor.submit(photo)["pretrained"].result().alpha(photo, refined=False)
        for method, sharpen in methods.items():
            began = time.perf_counter()
            sharpened = sharpen(photo, alpha)
            seconds[method].append(time.perf_counter() - began)
            scores[method].add(sharpened >= 0.5, mask)
            errors[method].append(float(np.square(sharpened - (mask == 1))[mask != IGNORE].mean()))
    reference = statistics.median(seconds["guided filter"])
    results = {
        method: {name: round(score, 4) for name, score in scores[method].scores() if score is not None}
        | {
            "mse": round(statistics.mean(errors[method]), 5),
            "time": round(statistics.median(seconds[method]) / reference, 2),
        }
        for method in methods
    }
    report({"dataset": dataset, "split": args.split, "photos": len(chosen), "methods": results}, args.output)


if __name__ == "__main__":
    run(main)
