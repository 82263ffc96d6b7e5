"""Time of a training epoch, compared with plain float32 PyTorch and segmentation_models.pytorch.

    pip install segmentation-models-pytorch     # optional, for ResNets
    python benchmarks/training.py [--backbones efficientnet_lite0 resnet101] [--output training.json]

An epoch of the paper's recipe over photos in memory: batches, forward and backward passes, Adam, and metrics. "Plain"
is the same network in PyTorch's default memory format in float32, without metrics. segmentation_models.pytorch trains
its DeepLabV3 as documented: Dice loss, Adam, float32. All alternate, and medians are compared as ratios to plain.
"PyTorch's gradients" is train.py without its own gradients of depthwise convolutions.
"""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from common import create_parser, report, run, time_alternately
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hairseg.data.decoded import PhotoArrays
from hairseg.evaluation.metrics import PixelCounts
from hairseg.networks.backbones import BACKBONES, build_model
from hairseg.networks.depthwise import DepthwiseConv2d
from hairseg.networks.devices import select_device, supports_bfloat16
from hairseg.networks.preprocessing import Preprocessing
from hairseg.training.batches import epoch_loader
from hairseg.training.checkpoints import Settings
from hairseg.training.losses import mse_loss
from hairseg.training.recipes import RECIPES
from hairseg.training.step import TrainingStep

try:
    import segmentation_models_pytorch as smp  # pyright: ignore[reportMissingImports]  (optional)
except ImportError:
    smp = None

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

SIDE = 256  # pixels


def use_pytorch_gradients(network: nn.Module) -> nn.Module:
    """Turn our depthwise convolutions into PyTorch's."""
    for module in network.modules():
        if isinstance(module, DepthwiseConv2d):
            module.__class__ = nn.Conv2d  # pyright: ignore[reportAttributeAccessIssue]  (the same fields)
    return network


def create_our_epoch(
    network: nn.Module, split: PhotoArrays, batch_size: int, device: torch.device
) -> Callable[[], None]:
    network = network.to(device).to(memory_format=torch.channels_last).train()
    recipe = replace(RECIPES["paper"]["pretrained"], batch_size=batch_size)
    settings, preprocessing = Settings("random", "", "random", recipe, 0, ""), Preprocessing(SIDE)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
    step = TrainingStep(network, recipe, preprocessing, device)

    def epoch() -> None:
        counts = PixelCounts(device)
        for photos, masks in epoch_loader(settings, {"train": split}, preprocessing, 1):
            logits, masks, _ = step(photos.to(device, non_blocking=True), masks.to(device, non_blocking=True))
            optimiser.step()
            counts.update(logits, masks)
        counts.scores()

    return epoch


def create_plain_epoch(
    network: nn.Module, compute_loss: Loss, split: PhotoArrays, batch_size: int, device: torch.device
) -> Callable[[], None]:
    network, preprocessing = network.to(device).train(), Preprocessing(SIDE)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4)
    frames = DataLoader(TensorDataset(split.photos, split.masks), batch_size, shuffle=True)

    def epoch() -> None:
        for photos, masks in frames:
            optimiser.zero_grad()
            loss = compute_loss(
                network(preprocessing.normalise(photos.to(device)).contiguous())[:, 0], masks.to(device)
            )
            loss.backward()
            optimiser.step()
            loss.item()

    return epoch


def measure(backbone: str, photos: int, batch_size: int, runs: int, device: torch.device) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    split = PhotoArrays(
        torch.randint(0, 256, (photos, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator),
        torch.randint(0, 2, (photos, SIDE, SIDE), dtype=torch.uint8, generator=generator),
    )
    shared = split, batch_size, device
    methods = {
        "plain": create_plain_epoch(use_pytorch_gradients(build_model(backbone)), mse_loss, *shared),
        "train.py, PyTorch's gradients": create_our_epoch(use_pytorch_gradients(build_model(backbone)), *shared),
        "train.py": create_our_epoch(build_model(backbone), *shared),
    }
    if smp and backbone.startswith("resnet"):
        dice = smp.losses.DiceLoss(smp.losses.BINARY_MODE, from_logits=True)
        network = smp.DeepLabV3(backbone, encoder_weights=None, classes=1)
        methods["segmentation_models.pytorch"] = create_plain_epoch(
            network, lambda logits, masks: dice(logits[:, None], masks[:, None].float()), *shared
        )
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    seconds = time_alternately(methods, runs, synchronise=synchronise)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "photos": photos,
        "batch_size": batch_size,
        "runs": runs,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "bfloat16": supports_bfloat16(device),
        "ms_per_photo": {name: round(1000 * median / photos, 1) for name, median in medians.items()},
        "to_plain": {name: round(median / medians["plain"], 3) for name, median in medians.items()},
    }


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--backbones", nargs="+", default=["efficientnet_lite0", "resnet101"], choices=list(BACKBONES))
    parser.add_argument("--photos", type=int, default=24, help="photos in an epoch")
    parser.add_argument("--batch-size", type=int, default=6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    result = {
        backbone: measure(backbone, args.photos, args.batch_size, args.runs, select_device(args.device))
        for backbone in args.backbones
    }
    report(result, args.output)


if __name__ == "__main__":
    run(main)
