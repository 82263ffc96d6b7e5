"""What a network gives as the page runs it, beside float32 and PyTorch's own memory format, on validation photos.

    python benchmarks/precision.py --data CelebAMask-HQ [--limit 80] [--output precision.json]

One look at each photo. AUROC is to differ by less than 0.0005, alpha by less than 0.005 on average.
"""

import json
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from hairseg.commands import Parser, choose_device, run
from hairseg.data.datasets import find_pairs
from hairseg.data.decoded import load_arrays
from hairseg.evaluation.metrics import PixelCounts
from hairseg.files import write_json
from hairseg.hub.resolution import default_repo, resolve
from hairseg.networks.precision import autocast, is_made_for_bfloat16
from hairseg.prediction import HairPredictor
from hairseg.repository import ModelRepository

BATCH = 8


@torch.inference_mode()
def main() -> None:
    parser = Parser(prog="precision.py", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--limit", type=int, default=80)
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, help="JSON file of the result")
    args = parser.parse_args()
    folder, device = resolve(args.repo).folder, choose_device(args.device)
    predictor = HairPredictor(folder, device=device)
    preset, (dataset, pairs) = predictor.config.preset, find_pairs(args.data)
    split = load_arrays(
        {dataset: [pair for pair in pairs if pair.split == "val"][: args.limit]}, preset, os.cpu_count()
    )
    result = {"dataset": dataset, "photos": len(split), "bfloat16": is_made_for_bfloat16(device), "variants": {}}
    for variant, network in predictor.networks.items():
        plain = ModelRepository(folder).load_network(variant).to(device)
        counts, difference = {name: PixelCounts(device) for name in ("float32", "page")}, 0.0
        for start in range(0, len(split), BATCH):
            photos, masks = (part[start : start + BATCH].to(device) for part in (split.photos, split.masks))
            squares = preset.normalise(photos)
            logits = {"float32": plain(squares.contiguous())[:, 0]}
            with autocast(device):
                logits["page"] = network(squares)[:, 0]
            for name, some in logits.items():
                counts[name].update(some, masks)
            alphas = [torch.sigmoid(some.float()) for some in logits.values()]
            difference += float((alphas[0] - alphas[1]).abs().mean((1, 2)).sum())
        result["variants"][variant] = {
            "auroc": {name: round(part.auroc, 5) for name, part in counts.items()},
            "alpha_difference": round(difference / len(split), 5),
        }
    print(json.dumps(result, indent=2))
    if args.output:
        write_json(args.output, result)


if __name__ == "__main__":
    run(main)
