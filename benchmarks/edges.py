"""Methods to sharpen a network's alpha, by what they gain on true masks and what they cost.

    pip install pymatting
    python benchmarks/edges.py --data CelebAMask-HQ [--limit 20] [--output edges.json]

The network's alpha scaled to the photo's size, the guided filter of `refine_alpha`, and closed-form matting
(A. Levin et al., TPAMI 2008, as in PyMatting) in the band where alpha is unsure, on the same photos in one run. Times
are medians, as ratios to the guided filter's.
"""

import statistics
import time
from pathlib import Path

import numpy as np
from common import parser_of, report

from hairseg.cli.common import run
from hairseg.data.datasets import find_pairs
from hairseg.errors import InputError
from hairseg.evaluation.full_resolution import load_full_resolution
from hairseg.evaluation.metrics import MaskCounts
from hairseg.hub.resolve import default_repo, resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.inference.refinement import refine_alpha
from hairseg.networks.preprocessing import IGNORE

CONFIDENT_LOGIT = 0.05  # alpha from 0 or 1 within which the trimap of closed-form matting is decided


try:
    from pymatting import estimate_alpha_cf  # pyright: ignore[reportMissingImports]  (main says so)
except ImportError:
    estimate_alpha_cf = None


def closed_form(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    trimap = np.where(alpha > 1 - CONFIDENT_LOGIT, 1.0, np.where(alpha < CONFIDENT_LOGIT, 0.0, 0.5))
    if trimap.min() > 0 or trimap.max() < 1:  # it has nothing to go by
        return alpha
    return estimate_alpha_cf(photo / 255.0, trimap).astype(np.float32)  # pyright: ignore[reportOptionalCall]


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, default=20)
    args = parser.parse_args()
    if estimate_alpha_cf is None:
        raise InputError("PyMatting is not installed", "it to compare with", "pip install pymatting")
    predictor = HairPredictor(resolve(args.repo).folder, ["pretrained"])
    dataset, pairs = find_pairs(args.data)
    methods = {
        "network": lambda photo, alpha: alpha,
        "guided filter": lambda photo, alpha: refine_alpha(
            photo, alpha, max(photo.shape) / predictor.config.image_size
        ),
        "closed form": closed_form,
    }
    scores = {method: MaskCounts() for method in methods}
    errors, seconds = ({method: [] for method in methods} for _ in range(2))
    chosen = [pair for pair in pairs if pair.split == args.split][: args.limit]
    if not chosen:
        raise InputError(f"{args.data} has no photos in the {args.split} split", "train, val or test with some")
    for pair in chosen:
        photo, mask = load_full_resolution(pair, dataset)
        alpha = predictor.alphas(photo, refined=False)["pretrained"]
        for method, sharpen in methods.items():
            began = time.perf_counter()
            sharp = sharpen(photo, alpha)
            seconds[method].append(time.perf_counter() - began)
            scores[method].add(sharp >= 0.5, mask)
            errors[method].append(float(np.square(sharp - (mask == 1))[mask != IGNORE].mean()))
    unit = statistics.median(seconds["guided filter"])
    result = {
        "dataset": dataset,
        "split": args.split,
        "photos": len(errors["network"]),
        "ways": {
            method: {name: round(score, 4) for name, score in scores[method].scores() if score is not None}
            | {
                "mse": round(statistics.mean(errors[method]), 5),
                "time": round(statistics.median(seconds[method]) / unit, 2),
            }
            for method in methods
        },
    }
    report(result, args)


if __name__ == "__main__":
    run(main)
