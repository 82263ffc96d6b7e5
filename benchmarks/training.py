"""One training step, in plain float32 and as train.py takes it, side by side in one run.

    python benchmarks/training.py [--backbone efficientnet_lite0] [--image-size 256] [--batch-size 12] [--output training.json]

Times are medians, as ratios to plain float32: contiguous tensors, PyTorch's own gradients. Where the CPU has no AMX,
train.py stays with float32 too.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from hairseg.commands import Parser, choose_device, run
from hairseg.depthwise import DepthwiseConv2d
from hairseg.model import BACKBONES, autocast, build_model
from hairseg.recipes import MODERN, bce_dice_loss
from hairseg.repository import write_json


def plain(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if isinstance(module, DepthwiseConv2d):
            module.__class__ = nn.Conv2d
    return network


def main() -> None:
    parser = Parser(prog="training.py", description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_lite0", choices=list(BACKBONES))
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=MODERN.batch_size)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, help="JSON file of the result")
    args = parser.parse_args()
    device = choose_device(args.device)
    channels_last = {"memory_format": torch.channels_last}
    networks = {
        "float32": plain(build_model(args.backbone)).to(device),
        "bfloat16, PyTorch's gradients": plain(build_model(args.backbone)).to(device, **channels_last),
        "as train.py": build_model(args.backbone).to(device, **channels_last),
    }
    photos = torch.randn(args.batch_size, 3, args.image_size, args.image_size, device=device)
    masks = torch.randint(0, 2, (args.batch_size, args.image_size, args.image_size), dtype=torch.uint8, device=device)

    def step(name: str, network: nn.Module, optimiser: torch.optim.Optimizer) -> float:
        began = time.perf_counter()
        own = photos if name == "float32" else photos.to(**channels_last)
        with torch.autocast(device.type, enabled=False) if name == "float32" else autocast(device):
            logits = network(own)[:, 0]
        optimiser.zero_grad(set_to_none=True)
        bce_dice_loss(logits, masks).backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    optimisers = {name: torch.optim.AdamW(network.parameters(), fused=True) for name, network in networks.items()}
    seconds = {name: [] for name in networks}
    for _ in range(args.runs + 2):
        for name, network in networks.items():
            seconds[name].append(step(name, network.train(), optimisers[name]))
    medians = {name: statistics.median(times[2:]) for name, times in seconds.items()}
    result = {
        "backbone": args.backbone, "image_size": args.image_size, "batch_size": args.batch_size, "runs": args.runs,
        "device": str(device), "threads": torch.get_num_threads(), "float32_ms_per_photo": round(1000 * medians["float32"] / args.batch_size, 1),
        "ratios": {name: round(median / medians["float32"], 3) for name, median in medians.items()},
    }
    print(json.dumps(result, indent=2))
    if args.output:
        write_json(args.output, result)


if __name__ == "__main__":
    run(main)
