"""Fine-tune both variants and write a model repository.

python train.py --data CelebAMask-HQ                     the paper's recipe on DeepLabV3-ResNet101
python train.py --data CelebAMask-HQ --backbone efficientnet_lite0 --resume
python train.py --data CelebAMask-HQ Figaro1k --scenes BSDS500 --recipe modern
python train.py --data CelebAMask-HQ street --scenes BSDS500 animals --recipe further --start hairseg/bundled
python train.py --data CelebAMask-HQ --push-to USER/NAME
accelerate launch --multi_gpu --num_processes 8 train.py --data CelebAMask-HQ --batch-size 48
"""

import hashlib
import os
import platform
import shlex
import shutil
import sys
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path

import numpy
import timm
import torch
import torchvision
from accelerate import Accelerator

from hairseg import __version__
from hairseg.commands import Parser, choose_device, run
from hairseg.config import Config
from hairseg.data.crops import closer_crops
from hairseg.data.datasets import LAYOUTS, SPLIT_RULES, SPLITS, Pair, find_pairs, find_scenes, load_scenes, split_rule
from hairseg.data.decoded import load_arrays
from hairseg.data.groups import name_group
from hairseg.errors import InputError, raise_if_any
from hairseg.evaluation.evaluate import evaluate
from hairseg.evaluation.figures import draw_history
from hairseg.evaluation.report import table
from hairseg.hub.card import DATASETS, render_card
from hairseg.hub.publish import check_push, push
from hairseg.hub.resolution import resolve
from hairseg.networks.backbones import BACKBONES, INITS, default_init
from hairseg.networks.preset import Preset
from hairseg.paper import VARIANTS
from hairseg.prediction import HairPredictor
from hairseg.repository import ModelRepository
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import source_size, train_variant
from hairseg.training.recipes import RECIPES

COUNTS = ("epochs", "batch_size", "learning_rate", "image_size")
OVERRIDES = (*COUNTS, "precision")
HISTORY_FIGURES = {"pretrained": "figure4", "random": "figure5"}  # as the paper numbers them


def parse() -> Parser:
    parser = Parser(prog="train.py", description="Fine-tune both variants of DeepLabV3 and write a model repository.")
    parser.add_argument(
        "--data",
        required=True,
        nargs="+",
        type=Path,
        help="folders of data sets: all are trained on, the first one's test split is scored",
    )
    parser.add_argument(
        "--scenes",
        nargs="+",
        default=[],
        type=Path,
        help="folders of photos without people, which modern and further put people into",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        type=weight,
        metavar="NAME=X",
        help="how often an epoch shows each photo of a data set, of a group of its photos (NAME/GROUP) or of a folder of "
        "scenes, instead of once",
    )
    parser.add_argument(
        "--start", metavar="REPO", help="model repository from whose weights to go on, each variant from its own"
    )
    parser.add_argument("--dataset", default="auto", choices=["auto", *LAYOUTS], help="auto: by layout")
    parser.add_argument(
        "--include-hairless", action="store_true", help="also people without a hair mask, as empty masks"
    )
    parser.add_argument("--backbone", default="resnet101", choices=list(BACKBONES))
    parser.add_argument("--recipe", default="paper", choices=list(RECIPES))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument(
        "--init",
        help="what the pretrained variant starts from: coco, imagenet or a weight file "
        "(coco where published, else imagenet)",
    )
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's")
    parser.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    parser.add_argument("--image-size", type=int, help="side of the network's input, instead of the recipe's")
    parser.add_argument(
        "--precision", choices=["mixed", "float32"], help="mixed: bfloat16 where the hardware is made for it"
    )
    parser.add_argument("--limit", type=int, help="use at most so many photos of each split")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count(),
        help="threads that decode photos; processes that read them for a GPU",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in --output")
    parser.add_argument("--output", type=Path, help="folder of the model repository (runs/BACKBONE-RECIPE)")
    parser.add_argument("--push-to", metavar="USER/NAME", help="push the repository to the Hugging Face Hub")
    parser.add_argument("--private", action="store_true", help="of --push-to: only you can see it")
    return parser


def weight(text: str) -> tuple[str, float]:
    """NAME=X, X above 0 -> name and weight."""
    name, _, number = text.rpartition("=")
    if not name or not 0 < float(number) < 1000:
        raise ValueError
    return name, float(number)


def main() -> None:
    args = parse().parse_args()
    for name in (*COUNTS, "limit"):
        if getattr(args, name) is not None and getattr(args, name) <= 0:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)} does not fit: expected more than 0.")
    overrides = {name: getattr(args, name) for name in OVERRIDES if getattr(args, name) is not None}
    recipes = {variant: replace(RECIPES[args.recipe][variant], **overrides) for variant in args.variants}
    recipe = recipes[args.variants[0]]  # of sizes, all variants have the same
    preset, source = Preset(recipe.image_size), Preset(source_size(recipe))
    accelerator = Accelerator(cpu=choose_device(args.device).type == "cpu")
    output = args.output or Path("runs") / f"{args.backbone}-{args.recipe}"
    repository, checkpoints = ModelRepository(output), output / "checkpoints"
    if accelerator.is_main_process:
        check_output(output, checkpoints, args.resume)
        if args.push_to:  # nobody trains for hours to learn that the token is read-only
            check_push(args.push_to, args.private)

    pairs, scenes = find_photos(args, recipe.augmentation is not None)
    started = resolve(args.start).folder if args.start else None
    before = ModelRepository(started).config.variants if started else {}
    check_start(args, before)
    weights = weights_of(pairs["train"], scenes["train"], dict(args.weights))
    first = next(iter(pairs["test"]))
    with accelerator.local_main_process_first():  # the others find everything decoded
        tests = {dataset: load_arrays({dataset: some}, preset, args.workers) for dataset, some in pairs["test"].items()}
        splits = {
            "train": load_arrays(pairs["train"], source, args.workers),
            "val": load_arrays(pairs["val"], preset, args.workers),
            "test": tests[first],  # the other data sets' are scored once, at the end
            "scenes": load_arrays({"scenes": scenes["train"]}, source, args.workers),
        }
    splits["train"].weights, splits["scenes"].weights = weights
    backdrops = load_scenes(scenes["test"]) if accelerator.is_main_process else {}  # who scores at the end
    data = digest(pairs | {"test": {first: pairs["test"][first]}}, scenes["train"], args.weights)

    entries = {}
    for variant in dict.fromkeys(args.variants):
        init = "random" if variant == "random" else args.init or default_init(args.backbone)
        if started:
            init = str(ModelRepository(started).weights(variant))
        settings = Settings(variant, args.backbone, init, recipes[variant], args.seed, data)
        trained = train_variant(settings, splits, accelerator, checkpoints / f"{variant}.pt", args.resume, args.workers)
        entries[variant] = {
            "init": before[variant]["init"] if started else init if init in INITS else Path(init).name,
            "recipe": args.recipe,
            **asdict(recipes[variant]),
            "seed": args.seed,
            "datasets": list(pairs["train"]),
            "weights": dict(args.weights),
            "images": {name: len(split) for name, split in splits.items()},
            "split": "; ".join(
                f"{DATASETS.get(dataset, dataset)}: {split_rule(dataset)}" for dataset in pairs["train"]
            ),
            **summary(trained.history, trained.best_epoch),
            "device": describe(accelerator),
            "command": command_line(),
            "versions": {
                "hairseg": __version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                "torchvision": torchvision.__version__,
                "timm": timm.__version__,
                "numpy": numpy.__version__,
            },
            **({"started_from": before[variant]} if started else {}),
        }
        if not accelerator.is_main_process:
            continue
        repository.save_weights(variant, args.backbone, trained.weights)
        repository.save_history(variant, trained.history)
        draw_history(
            repository.figure(HISTORY_FIGURES[variant]),
            trained.history,
            f"{variant}, {args.backbone}",
            trained.best_epoch,
        )

    accelerator.end_training()
    if not accelerator.is_main_process:
        return
    repository.save_config(
        Config(
            backbone=args.backbone,
            output_stride=BACKBONES[args.backbone].output_stride,
            image_size=preset.image_size,
            mean=preset.mean,
            std=preset.std,
            threshold=0.5,
            variants=entries,
        ),
    )
    predictor = HairPredictor(output, device=accelerator.device)
    metrics, *others = (
        evaluate(predictor, dataset, "test", some, tests[dataset], backdrops, output if dataset == first else None)
        for dataset, some in pairs["test"].items()
        if some
    )
    metrics["others"] = others
    repository.save_metrics(metrics)
    repository.save_card(render_card(predictor.config, metrics, args.push_to or "USER/NAME"))
    shutil.rmtree(
        checkpoints.rename(output / "finished")
    )  # at once: a half-removed folder would be taken up by --resume
    print("\n\n".join(table(part) for part in (metrics, *others)))
    print(f"written: {output}")
    if args.push_to:
        pushed = push(output, args.push_to, args.private)
        print(
            f"pushed: {pushed.url} (tag {pushed.tag})" + (", the card edited there is kept" if pushed.card_kept else "")
        )


def find_photos(args: Namespace, augments: bool) -> tuple[dict[str, dict[str, list[Pair]]], dict[str, list[Pair]]]:
    """Pairs by split and data set, and scenes to train and to test with.

    Where photos are augmented, training also sees closer crops of one's own photos, those of layout `folder`.

    Raises:
        InputError: a data set given twice, or nothing to train or to test on.
    """
    found = {}
    for folder in args.data:
        dataset, pairs = find_pairs(folder, args.dataset, args.include_hairless)
        if dataset in found:
            raise InputError(
                f"{folder} is {dataset} once more: expected every data set once; put its photos into one folder."
            )
        found[dataset] = pairs
    by_split = {
        name: {
            dataset: [pair for pair in pairs if pair.split == name][: args.limit] for dataset, pairs in found.items()
        }
        for name in SPLITS
    }
    for name, some in (("train", sum(by_split["train"].values(), [])), ("test", next(iter(by_split["test"].values())))):
        if not some:
            raise InputError(
                f"no photo of {' and '.join(map(str, args.data[: None if name == 'train' else 1]))} falls into the {name} split "
                "(each photo's id decides, about 77 : 23): expected some of each; add photos."
            )
    if augments:
        by_split["train"] = {
            dataset: some + closer_crops(some, dataset) if dataset not in SPLIT_RULES else some
            for dataset, some in by_split["train"].items()
        }
    scenes = find_scenes(*args.scenes)
    return by_split, {
        "train": [scene for scene in scenes if scene.split != "test"][: args.limit],
        "test": [scene for scene in scenes if scene.split == "test"][: args.limit],
    }


def weights_of(
    pairs: dict[str, list[Pair]], scenes: list[Pair], weights: dict[str, float]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight of each training photo and of each scene, as `PhotoArrays` has them: that of its group, else of its data set
    or of the scene's folder, else 1.

    Raises:
        InputError: a weight for what is not there.
    """
    known, train = set(), []
    for dataset, some in pairs.items():
        for pair in some:
            names = f"{dataset}/{name_group(pair)}", dataset
            known.update(names)
            train.append(next((weights[name] for name in names if name in weights), 1.0))
    known.update(scene.photo.parent.name for scene in scenes)
    raise_if_any(
        sorted(weights.keys() - known),
        "names in --weights are not among the training photos",
        f"name {', '.join(sorted(name for name in known if not name.endswith('/None')))}",
    )
    of_scenes = [weights.get(scene.photo.parent.name, 1.0) for scene in scenes]
    return torch.tensor(train, dtype=torch.float64), torch.tensor(of_scenes, dtype=torch.float64)


def check_start(args: Namespace, before: dict[str, dict]) -> None:
    if args.start and args.init:
        raise InputError("--start and --init both say what to begin with: expected one of them; leave one out.")
    missing = sorted(set(args.variants) - before.keys()) if args.start else []
    raise_if_any(missing, f"variants are not in {args.start}", "train those that are with --variants")


def digest(pairs: dict[str, dict[str, list[Pair]]], scenes: list[Pair], weights: list[tuple[str, float]]) -> str:
    """Names the data sets, and tells other photos, another split of them or other weights apart."""
    ids = "\n".join(
        f"{name} {dataset} {pair.id}" for name in SPLITS for dataset, some in pairs[name].items() for pair in some
    )
    ids += "\n".join(scene.id for scene in scenes) + "".join(f"\n{name}={number}" for name, number in sorted(weights))
    return f"{', '.join(pairs['train'])} {hashlib.sha256(ids.encode()).hexdigest()[:16]}"


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
        "selected_by": "auroc on val"
        if history[0]["val"]["auroc"] is not None
        else "last epoch (no validation photos)",
        "best_test_epoch": best_on_test and {"epoch": best_on_test["epoch"], "auroc": best_on_test["test"]["auroc"]},
        "seconds": round(sum(record["seconds"] for record in history), 1),
    }


def describe(accelerator: Accelerator) -> str:
    device, processes = accelerator.device, accelerator.num_processes
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return name if processes == 1 else f"{processes} x {name}"


def command_line() -> str:
    """The command that trains this from the start, folders and files by their names alone."""
    words = [word for word in sys.argv if word != "--resume"]
    return shlex.join(["python", *(Path(word).name if "/" in word else word for word in words)])


if __name__ == "__main__":
    run(main)
