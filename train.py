"""Fine-tune both variants and write a model repository.

python train.py --data CelebAMask-HQ                     the paper's recipe on DeepLabV3-ResNet101
python train.py --data CelebAMask-HQ --backbone efficientnet_lite0 --resume
python train.py --data CelebAMask-HQ Figaro1k --scenes BSDS500 --recipe modern
python train.py --data CelebAMask-HQ street --scenes BSDS500 animals --recipe further --start hairseg/bundled
python train.py --data CelebAMask-HQ --push-to USER/NAME
accelerate launch --multi_gpu --num_processes 8 train.py --data CelebAMask-HQ --batch-size 48
"""

import os
import shutil
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from accelerate import Accelerator

from hairseg.cli.common import Parser, run
from hairseg.data.datasets import LAYOUTS, load_scenes
from hairseg.data.decoded import PhotoArrays
from hairseg.errors import InputError, raise_if_any
from hairseg.evaluation.evaluate import evaluate
from hairseg.evaluation.figures import draw_history
from hairseg.evaluation.report import format_report
from hairseg.hub.card import render_card
from hairseg.hub.publish import check_push, push
from hairseg.hub.resolve import resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.backbones import BACKBONES, default_init
from hairseg.networks.devices import select_device
from hairseg.networks.preprocessing import Preprocessing
from hairseg.paper import VARIANTS
from hairseg.repository.config import Config
from hairseg.repository.export import check_packages, export_onnx
from hairseg.repository.repository import CONFIG_FILE, ModelRepository
from hairseg.training.batches import serving_size
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import train_variant
from hairseg.training.photos import TrainingPhotos, find_photos
from hairseg.training.provenance import describe_variant
from hairseg.training.recipes import OVERRIDABLE, RECIPES, Recipe
from hairseg.training.state import interpolate_weights

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
        "--hats",
        type=Path,
        help="folder of photos hat*.jpg of hats that lie by themselves: some people are shown once more in one of them",
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        default=[],
        type=weight,
        metavar="NAME=X",
        help="how often an epoch shows each photo of a data set, of a group of its photos (NAME/GROUP) or of a folder "
        "of scenes, instead of once",
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
    for field in fields(Recipe):
        if field.name in OVERRIDABLE:
            parser.add_argument(
                f"--{field.name.replace('_', '-')}",
                type=field.type,
                choices=field.metadata.get("choices"),
                help=f"{field.metadata['help']}; instead of the recipe's",
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
    parser.add_argument("--onnx", action="store_true", help="also write ONNX files, for use without this code")
    return parser


def weight(text: str) -> tuple[str, float]:
    """NAME=X, X above 0 -> name and weight."""
    name, _, number = text.rpartition("=")
    if not name or not 0 < float(number) < 1000:
        raise ValueError
    return name, float(number)


def main() -> None:
    args = parse().parse_args()
    recipes = chosen_recipes(args)
    recipe = recipes[args.variants[0]]  # all variants have its sizes
    accelerator = Accelerator(cpu=select_device(args.device).type == "cpu")
    output = args.output or Path("runs") / f"{args.backbone}-{args.recipe}"
    repository, checkpoints = ModelRepository(output), output / "checkpoints"
    if accelerator.is_main_process:
        check_output(output, checkpoints, args.resume)
        if args.onnx:
            check_packages()
        if args.push_to:  # nobody trains for hours to learn that the token is read-only
            check_push(args.push_to, args.private)
    started = started_repository(args)
    photos = find_photos(
        args.data,
        args.scenes,
        args.dataset,
        args.include_hairless,
        args.limit,
        weights=dict(args.weights),
        crops=recipe.augmentation is not None,
        hats=args.hats,
    )
    with accelerator.local_main_process_first():  # the others find everything decoded
        splits, tests = photos.load(recipe, args.workers)
    backdrops = load_scenes(photos.scenes["test"]) if accelerator.is_main_process else {}  # who scores at the end

    entries = {}
    for variant in dict.fromkeys(args.variants):
        init = "random" if variant == "random" else args.init or default_init(args.backbone)
        if started:
            init = str(started.weights(variant))
        settings = Settings(variant, args.backbone, init, recipes[variant], args.seed, photos.digest())
        trained = train_variant(settings, splits, accelerator, checkpoints / f"{variant}.pt", args.resume, args.workers)
        before = started.config.variants[variant] if started else None
        entries[variant] = describe_variant(settings, args.recipe, trained, photos, splits, accelerator, before)
        if accelerator.is_main_process:
            weights = trained.weights
            if started:
                start = started.load_network(variant).state_dict()
                weights = interpolate_weights(weights, start, recipes[variant].init_blend)
            repository.save_weights(variant, args.backbone, weights)
            repository.save_history(variant, trained.history)
            figure = repository.figure(HISTORY_FIGURES[variant])
            draw_history(figure, trained.history, f"{variant}, {args.backbone}", trained.best_epoch)
    accelerator.end_training()
    if accelerator.is_main_process:
        repository.save_config(Config.from_training(args.backbone, Preprocessing(serving_size(recipe)), entries))
        predictor = HairPredictor(output, device=accelerator.device)
        finish(repository, predictor, photos, tests, backdrops, args.push_to)
        # renamed first: a half-removed folder would be taken up by --resume
        shutil.rmtree(checkpoints.rename(output / "finished"))
        print(f"written: {output}")
        if args.onnx:
            export_onnx(output)
        if args.push_to:
            publish(output, args)


def chosen_recipes(args: Namespace) -> dict[str, Recipe]:
    """The recipe of each variant, with what the flags say instead."""
    overrides = {name: getattr(args, name) for name in OVERRIDABLE if getattr(args, name) is not None}
    for name, value in (overrides | {"limit": args.limit}).items():
        if isinstance(value, int | float) and not value > 0:
            raise InputError(f"--{name.replace('_', '-')} {value} does not fit", "more than 0")
    return {variant: replace(RECIPES[args.recipe][variant], **overrides) for variant in args.variants}


def started_repository(args: Namespace) -> ModelRepository | None:
    """The repository named by --start.

    Raises:
        InputError: it lacks a variant that is to be trained, --init says something else to begin with, or there is none
            for a recipe that goes on from one.
    """
    if not args.start:
        if args.recipe == "further":
            raise InputError("--recipe further goes on from a repository", "--start REPO", "choose another otherwise")
        return None
    if args.init:
        raise InputError("--start and --init both say what to begin with", "one of them", "leave one out")
    repository = ModelRepository(resolve(args.start).folder)
    missing = sorted(set(args.variants) - repository.config.variants.keys())
    raise_if_any(missing, f"variants are not in {args.start}", "train those that are with --variants")
    return repository


def check_output(output: Path, checkpoints: Path, resume: bool) -> None:
    """Raise InputError where something trained before would be overwritten."""
    is_finished = (output / CONFIG_FILE).exists()
    if resume and is_finished and not checkpoints.exists():
        raise InputError(f"{output} is finished: there is nothing to resume", None, "train into another --output")
    if not resume and (checkpoints.exists() or is_finished):
        raise InputError(f"{output} holds an earlier training", None, "go on with --resume, or choose another --output")


def finish(
    repository: ModelRepository,
    predictor: HairPredictor,
    photos: TrainingPhotos,
    tests: dict[str, PhotoArrays],
    backdrops: dict[str, list[np.ndarray]],
    name: str | None,
) -> None:
    """Score the repository on every data set's test photos; write metrics, figures and card, and print the scores."""
    metrics, *others = (
        evaluate(
            predictor,
            dataset,
            "test",
            pairs,
            tests[dataset],
            backdrops,
            repository if dataset == photos.first else None,
        )
        for dataset, pairs in photos.pairs["test"].items()
        if pairs
    )
    metrics = metrics.model_copy(update={"others": others})
    repository.save_metrics(metrics)
    repository.save_card(render_card(predictor.config, metrics, name or "USER/NAME"))
    print(format_report(metrics))


def publish(output: Path, args: Namespace) -> None:
    pushed = push(output, args.push_to, args.private)
    kept = ", the card edited there is kept" if pushed.card_kept else ""
    print(f"pushed: {pushed.url} (tag {pushed.tag}){kept}")


if __name__ == "__main__":
    run(main)
