"""Fine-tune both variants and write a model repository.

    python train.py --data CelebAMask-HQ                     the paper's recipe on DeepLabV3-ResNet101
    python train.py --data CelebAMask-HQ --backbone efficientnet_lite0 --resume
    python train.py --data CelebAMask-HQ Figaro1k --scenes BSDS500 --recipe modern
    python train.py --data CelebAMask-HQ --push-to USER/NAME
"""

import hashlib
import os
import platform
import shlex
import shutil
import sys
from dataclasses import asdict, replace
from functools import reduce
from operator import add
from pathlib import Path

import numpy
import timm
import torch
import torchvision

from hairseg import InputError, __version__
from hairseg.card import render_card
from hairseg.commands import Parser, choose_device, run
from hairseg.datasets import LAYOUTS, SPLIT_RULES, SPLITS, find_pairs, find_scenes, load_split
from hairseg.evaluation import evaluate, table
from hairseg.figures import draw_history
from hairseg.model import BACKBONES, INITS, default_init
from hairseg.prediction import HairPredictor
from hairseg.publishing import check_push, push
from hairseg.repository import Config, save_config, save_weights, write_json
from hairseg.training import RECIPES, VARIANTS, Settings, source_size, train_variant
from hairseg.transforms import Preset

OVERRIDES = ("epochs", "batch_size", "learning_rate", "image_size")
HISTORY_FIGURES = {"pretrained": "figure4", "random": "figure5"}  # as the paper numbers them


def parse() -> Parser:
    parser = Parser(prog="train.py", description="Fine-tune both variants of DeepLabV3 and write a model repository.")
    parser.add_argument("--data", required=True, nargs="+", type=Path,
                        help="folders of data sets: all are trained on, the first one's test split is scored")
    parser.add_argument("--scenes", type=Path, help="folder of photos without people, which modern puts people into")
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
    parser.add_argument("--image-size", type=int, help="side of the network's input, instead of the recipe's")
    parser.add_argument("--limit", type=int, help="use at most so many photos of each split")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="threads that decode photos")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --output")
    parser.add_argument("--output", type=Path, help="folder of the model repository (runs/BACKBONE-RECIPE)")
    parser.add_argument("--push-to", metavar="USER/NAME", help="push the repository to the Hugging Face Hub")
    parser.add_argument("--private", action="store_true", help="of --push-to: only you can see it")
    return parser


def main() -> None:
    args = parse().parse_args()
    for name in (*OVERRIDES, "limit"):
        if getattr(args, name) is not None and getattr(args, name) <= 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)} does not fit: expected more than 0.")
    overrides = {name: getattr(args, name) for name in OVERRIDES if getattr(args, name) is not None}
    recipes = {variant: replace(RECIPES[args.recipe][variant], **overrides) for variant in args.variants}
    recipe = recipes[args.variants[0]]  # of sizes, all variants have the same
    preset, source = Preset(recipe.image_size), Preset(source_size(recipe))
    device = choose_device(args.device)
    output = args.output or Path("runs") / f"{args.backbone}-{args.recipe}"
    checkpoints = output / "checkpoints"
    check_output(output, checkpoints, args.resume)

    if args.push_to:  # nobody trains for hours to learn that the token is read-only
        check_push(args.push_to, args.private)

    found = {}  # data set -> its pairs
    for folder in args.data:
        dataset, pairs = find_pairs(folder, args.dataset, args.include_hairless)
        if dataset in found:
            raise InputError(f"{folder} is {dataset} once more: expected every data set once; put its photos into one folder.")
        found[dataset] = pairs
    first = next(iter(found))
    scenes = [pair for pair in find_scenes(args.scenes) if pair.split != "test"] if args.scenes else []
    pairs = {name: {dataset: [pair for pair in found[dataset] if pair.split == name][: args.limit]
                    for dataset in (found if name != "test" else [first])} for name in SPLITS}
    for name in ("train", "test"):
        if not any(pairs[name].values()):
            raise InputError(
                f"none of the {len(found[first])} photos of {args.data[0]} falls into the {name} split (each photo's id "
                "decides, about 77 : 23): expected some of each; add photos."
            )

    splits = {}
    for name in SPLITS:
        size = source if name == "train" else preset
        splits[name] = reduce(add, (load_split(some, dataset, size, args.workers) for dataset, some in pairs[name].items()))
    splits["scenes"] = load_split(scenes[: args.limit], "scenes", source, args.workers)
    ids = "\n".join(f"{name} {dataset} {pair.id}" for name in SPLITS for dataset in pairs[name] for pair in pairs[name][dataset])
    ids += "\n".join(pair.id for pair in scenes[: args.limit])
    data = f"{', '.join(found)} {hashlib.sha256(ids.encode()).hexdigest()[:16]}"

    entries = {}
    for variant in dict.fromkeys(args.variants):
        init = "random" if variant == "random" else args.init or default_init(args.backbone)
        settings = Settings(variant, args.backbone, init, recipes[variant], args.seed, data)
        trained = train_variant(settings, splits, device, checkpoints / f"{variant}.pt", args.resume, args.workers)
        entries[variant] = {
            "init": init if init in INITS else Path(init).name,
            "recipe": args.recipe, **asdict(recipes[variant]), "seed": args.seed,
            "datasets": list(found),
            "images": {name: len(splits[name]) for name in (*SPLITS, "scenes")},
            "split": {dataset: SPLIT_RULES[dataset] for dataset in found},
            **summary(trained.history, trained.best_epoch),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads",
            "command": command_line(),
            "versions": {"hairseg": __version__, "python": platform.python_version(), "torch": torch.__version__,
                         "torchvision": torchvision.__version__, "timm": timm.__version__, "numpy": numpy.__version__},
        }
        save_weights(output, variant, args.backbone, trained.weights)
        write_json(output / variant / "history.json", trained.history)
        draw_history(output / "figures" / f"{HISTORY_FIGURES[variant]}.png", trained.history,
                     f"{variant}, {args.backbone}", trained.best_epoch)

    save_config(output, Config(
        backbone=args.backbone, output_stride=BACKBONES[args.backbone].output_stride, image_size=preset.image_size,
        mean=preset.mean, std=preset.std, threshold=0.5, variants=entries,
    ))
    predictor = HairPredictor(output, device=device)
    metrics = evaluate(predictor, first, "test", pairs["test"][first], splits["test"], output)
    (output / "README.md").write_text(render_card(predictor.config, metrics, args.push_to or "USER/NAME"), encoding="utf-8")
    shutil.rmtree(checkpoints)
    print(table(metrics))
    print(f"written: {output}")
    if args.push_to:
        pushed = push(output, args.push_to, args.private)
        print(f"pushed: {pushed.url} (tag {pushed.tag})" + (", the card edited there is kept" if pushed.card_kept else ""))


def check_output(output: Path, checkpoints: Path, resume: bool) -> None:
    """Nothing that was trained before is overwritten."""
    if resume and (output / "config.json").exists() and not checkpoints.exists():
        raise InputError(f"{output} is finished: there is nothing to resume; train into another --output.")
    if not resume and (checkpoints.exists() or (output / "config.json").exists()):
        raise InputError(f"{output} holds an earlier training: go on with --resume, or choose another --output.")


def summary(history: list[dict], best_epoch: int) -> dict:
    """What config.json says of the epochs: the kept one, and the best on test that the paper would quote."""
    tested = [record for record in history if record["test"]["auroc"] is not None]
    best_on_test = max(tested, key=lambda record: record["test"]["auroc"], default=None)
    return {
        "best_epoch": best_epoch,
        "selected_by": "auroc on val" if history[0]["val"]["auroc"] is not None else "last epoch (no validation photos)",
        "best_test_epoch": best_on_test and {"epoch": best_on_test["epoch"], "auroc": best_on_test["test"]["auroc"]},
        "seconds": round(sum(record["seconds"] for record in history), 1),
    }


def command_line() -> str:
    """The command that trains this from the start, folders and files by their names alone."""
    words = [word for word in sys.argv if word != "--resume"]
    return shlex.join(["python", *(Path(word).name if "/" in word else word for word in words)])


if __name__ == "__main__":
    run(main)
