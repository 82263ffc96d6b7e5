"""Fine-tune both variants and write a model repository.

    python train.py --data CelebAMask-HQ                     the paper's recipe on DeepLabV3-ResNet101
    python train.py --data CelebAMask-HQ --backbone efficientnet_lite0 --resume
"""

import hashlib
import os
import platform
import shlex
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy
import timm
import torch
import torchvision

from hairseg import InputError, __version__
from hairseg.commands import Parser, choose_device, run
from hairseg.datasets import LAYOUTS, SPLITS, find_pairs, load_arrays
from hairseg.model import BACKBONES, default_init
from hairseg.training import RECIPES, VARIANTS, Settings, Split, Trained, train_variant
from hairseg.transforms import Preset


def parse() -> Parser:
    parser = Parser(prog="train.py", description="Fine-tune both variants of DeepLabV3 and write a model repository.")
    parser.add_argument("--data", required=True, type=Path, help="folder of the data set")
    parser.add_argument("--dataset", default="auto", choices=["auto", *LAYOUTS], help="auto: by layout")
    parser.add_argument("--include-hairless", action="store_true", help="also people without a hair mask, as empty masks")
    parser.add_argument("--backbone", default="resnet101", choices=list(BACKBONES))
    parser.add_argument("--recipe", default="paper", choices=list(RECIPES))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--init", help="what the pretrained variant starts from: coco, imagenet or a weight file "
                                       "(coco where published, else imagenet)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's")
    parser.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    parser.add_argument("--image-size", type=int, default=Preset.image_size, help="side of the network's input")
    parser.add_argument("--limit", type=int, help="use at most so many photos of each split")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="threads that decode photos")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --output")
    parser.add_argument("--output", type=Path, help="folder of the model repository (runs/BACKBONE-RECIPE)")
    return parser


def main() -> None:
    args = parse().parse_args()
    for name in ("epochs", "batch_size", "limit", "learning_rate"):
        if getattr(args, name) is not None and not getattr(args, name) > 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)} does not fit: expected more than 0.")
    device = choose_device(args.device)
    preset = Preset(args.image_size)
    output = args.output or Path("runs") / f"{args.backbone}-{args.recipe}"
    checkpoints = output / "checkpoints"

    dataset, pairs = find_pairs(args.data, args.dataset, args.include_hairless)
    splits, digest = {}, hashlib.sha256()
    pairs = {name: [pair for pair in pairs if pair.split == name][: args.limit] for name in SPLITS}
    splits = {name: Split(*load_arrays(pairs[name], dataset, preset, args.workers)) for name in SPLITS}
    digest.update("\n".join(pair.id for name in SPLITS for pair in pairs[name]).encode())

    for variant in args.variants:
        recipe = RECIPES[args.recipe][variant]
        overrides = {name: getattr(args, name) for name in ("epochs", "batch_size", "learning_rate")}
        recipe = replace(recipe, **{name: value for name, value in overrides.items() if value is not None})
        init = "random" if variant == "random" else args.init or default_init(args.backbone)
        settings = Settings(variant, args.backbone, init, recipe, args.image_size, args.seed, f"{dataset} {digest.hexdigest()[:16]}")
        train_variant(settings, splits, device, checkpoints / f"{variant}.pt", args.resume)


if __name__ == "__main__":
    run(main)
