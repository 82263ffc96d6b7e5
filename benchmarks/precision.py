"""AUROC and alpha of the networks as served, compared with float32 on validation photos.

    python benchmarks/precision.py --data CelebAMask-HQ [--limit 80] [--output precision.json]

Each photo gets one forward pass. AUROC should differ by less than 0.0005, alpha by less than 0.005 on average.
"""

import os
from pathlib import Path
from typing import Any

import torch
from common import create_parser, report, run

from hairseg.data.datasets import find_pairs
from hairseg.data.decoded import load_arrays
from hairseg.evaluation.metrics import PixelCounts
from hairseg.hub.resolve import default_repo, resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.devices import autocast, select_device, supports_bfloat16
from hairseg.repository import ModelRepository

BATCH_SIZE = 8


@torch.inference_mode()
def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--limit", type=int, default=80, help="photos")
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    folder, device = resolve(args.repo).folder, select_device(args.device)
    predictor = HairPredictor(folder, device=device)
    preprocessing, (dataset, pairs) = predictor.config.preprocessing, find_pairs(args.data)
    chosen = [pair for pair in pairs if pair.split == "val"][: args.limit]
    split = load_arrays({dataset: chosen}, preprocessing, os.cpu_count() or 1)
    variants: dict[str, Any] = {}
    for variant, served in predictor.networks.items():
        network = ModelRepository(folder).load_network(variant).to(device)
        counts, difference = {name: PixelCounts(device) for name in ("float32", "page")}, 0.0
        for start in range(0, len(split), BATCH_SIZE):
            photos, masks = (rows[start : start + BATCH_SIZE].to(device) for rows in (split.photos, split.masks))
            inputs = preprocessing.normalise(photos)
            logits = {"float32": network(inputs.contiguous())[:, 0]}
            with autocast(device):
                logits["page"] = served(inputs)[:, 0]
            for name in counts:
                counts[name].update(logits[name], masks)
            alphas = [torch.sigmoid(values.float()) for values in logits.values()]
            difference += float((alphas[0] - alphas[1]).abs().mean((1, 2)).sum())
        variants[variant] = {
            "auroc": {name: round(pooled.scores().auroc or 0, 5) for name, pooled in counts.items()},
            "alpha_difference": round(difference / len(split), 5),
        }
    result = {"dataset": dataset, "photos": len(split), "bfloat16": supports_bfloat16(device), "variants": variants}
    report(result, args.output)


if __name__ == "__main__":
    run(main)
