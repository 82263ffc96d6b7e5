"""What a network gives as the page runs it, beside float32 and PyTorch's own memory format, on validation photos.

    python benchmarks/precision.py --data CelebAMask-HQ [--limit 80] [--output precision.json]

One look at each photo. AUROC is to differ by less than 0.0005, alpha by less than 0.005 on average.
"""

import os
from pathlib import Path

import torch
from common import parser_of, report

from hairseg.cli.common import run
from hairseg.data.datasets import find_pairs
from hairseg.data.decoded import load_arrays
from hairseg.evaluation.metrics import PixelCounts
from hairseg.hub.resolve import default_repo, resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.devices import autocast, select_device, supports_bfloat16
from hairseg.repository import ModelRepository

BATCH = 8


@torch.inference_mode()
def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--limit", type=int, default=80)
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    folder, device = resolve(args.repo).folder, select_device(args.device)
    predictor = HairPredictor(folder, device=device)
    preprocessing, (dataset, pairs) = predictor.config.preprocessing, find_pairs(args.data)
    split = load_arrays(
        {dataset: [pair for pair in pairs if pair.split == "val"][: args.limit]}, preprocessing, os.cpu_count() or 1
    )
    result = {"dataset": dataset, "photos": len(split), "bfloat16": supports_bfloat16(device), "variants": {}}
    for variant, network in predictor.networks.items():
        plain = ModelRepository(folder).load_network(variant).to(device)
        counts, difference = {name: PixelCounts(device) for name in ("float32", "page")}, 0.0
        for start in range(0, len(split), BATCH):
            photos, masks = (rows[start : start + BATCH].to(device) for rows in (split.photos, split.masks))
            squares = preprocessing.normalise(photos)
            logits = {"float32": plain(squares.contiguous())[:, 0]}
            with autocast(device):
                logits["page"] = network(squares)[:, 0]
            for name, of_method in logits.items():
                counts[name].update(of_method, masks)
            alphas = [torch.sigmoid(of_method.float()) for of_method in logits.values()]
            difference += float((alphas[0] - alphas[1]).abs().mean((1, 2)).sum())
        result["variants"][variant] = {
            "auroc": {name: round(pooled.scores().auroc or 0, 5) for name, pooled in counts.items()},
            "alpha_difference": round(difference / len(split), 5),
        }
    report(result, args)


if __name__ == "__main__":
    run(main)
