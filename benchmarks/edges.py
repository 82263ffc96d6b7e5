"""Ways to sharpen a network's alpha, by what they gain on true masks and what they cost.

    pip install pymatting
    python benchmarks/edges.py --data CelebAMask-HQ [--limit 20] [--output edges.json]

The network's alpha scaled to the photo's size, the guided filter of `matting.refine_alpha`, and closed-form matting
(A. Levin et al., TPAMI 2008, as in PyMatting) in the band where alpha is unsure, on the same photos in one run. Times
are medians, as ratios to the guided filter's.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from hairseg.commands import Parser, run
from hairseg.data.datasets import find_pairs
from hairseg.errors import InputError
from hairseg.evaluation.evaluate import pair_at_size_of_photo
from hairseg.evaluation.metrics import MaskScores
from hairseg.files import write_json
from hairseg.hub.resolution import default_repo, resolve
from hairseg.prediction import HairPredictor
from hairseg.refinement import refine_alpha

SURE = 0.05  # alpha from 0 or 1 within which the trimap of closed-form matting is decided


try:
    from pymatting import estimate_alpha_cf
except ImportError:
    estimate_alpha_cf = None


def closed_form(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    trimap = np.where(alpha > 1 - SURE, 1.0, np.where(alpha < SURE, 0.0, 0.5))
    return estimate_alpha_cf(photo / 255.0, trimap).astype(np.float32)


def main() -> None:
    parser = Parser(prog="edges.py", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--output", type=Path, help="JSON file of the result")
    args = parser.parse_args()
    if estimate_alpha_cf is None:
        raise InputError("PyMatting is not installed: expected it to compare with; pip install pymatting.")
    predictor = HairPredictor(resolve(args.repo).folder, ["pretrained"])
    dataset, pairs = find_pairs(args.data)
    ways = {
        "network": lambda photo, alpha: alpha,
        "guided filter": lambda photo, alpha: refine_alpha(
            photo, alpha, max(photo.shape) / predictor.config.image_size
        ),
        "closed form": closed_form,
    }
    scores, errors, seconds = ({way: kind() for way in ways} for kind in (MaskScores, list, list))
    chosen = [pair for pair in pairs if pair.split == args.split][: args.limit]
    if not chosen:
        raise InputError(f"{args.data} has no photos in the {args.split} split: expected train, val or test with some.")
    for pair in chosen:
        photo, mask = pair_at_size_of_photo(pair, dataset)
        alpha = predictor.alphas(photo, refined=False)["pretrained"]
        for way, sharpen in ways.items():
            began = time.perf_counter()
            sharp = sharpen(photo, alpha)
            seconds[way].append(time.perf_counter() - began)
            scores[way].add(sharp >= 0.5, mask)
            errors[way].append(float(np.square(sharp - mask).mean()))
    unit = statistics.median(seconds["guided filter"])
    result = {
        "dataset": dataset,
        "split": args.split,
        "photos": len(errors["network"]),
        "ways": {
            way: {name: round(score, 4) for name, score in scores[way].scores().items()}
            | {"mse": round(statistics.mean(errors[way]), 5), "time": round(statistics.median(seconds[way]) / unit, 2)}
            for way in ways
        },
    }
    print(json.dumps(result, indent=2))
    if args.output:
        write_json(args.output, result)


if __name__ == "__main__":
    run(main)
