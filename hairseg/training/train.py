"""Train both variants of DeepLabV3, score them, and write a model repository."""

import math
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from accelerate import Accelerator

from hairseg.data.datasets import LAYOUTS, load_scenes
from hairseg.data.decoded import PhotoArrays
from hairseg.errors import InputError, quote, raise_if_any, raise_if_unknown
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
from hairseg.repository.config import Config, VariantConfig
from hairseg.repository.export import check_packages, export_onnx
from hairseg.repository.repository import CONFIG_FILE, ModelRepository
from hairseg.training.checkpoints import Settings
from hairseg.training.loop import train_variant
from hairseg.training.options import TrainOptions
from hairseg.training.photos import TrainingPhotos, find_photos
from hairseg.training.provenance import describe_variant
from hairseg.training.recipes import RECIPES, Recipe
from hairseg.training.state import interpolate_weights

HISTORY_FIGURES = {"pretrained": "figure4", "random": "figure5"}
"""The figures of the paper that show the history of each variant."""

MAX_WEIGHT = 1000

MAX_SEED = 2**32 - 1  # the seed of an epoch, about a million times as large, must fit into 64 bits


@dataclass(frozen=True)
class _Run:
    """State that the variants of a training have in common."""

    options: TrainOptions
    recipes: dict[str, Recipe]
    accelerator: Accelerator
    repository: ModelRepository
    start: ModelRepository | None
    photos: TrainingPhotos
    splits: dict[str, PhotoArrays]

    @property
    def checkpoints(self) -> Path:
        return self.repository.folder / "checkpoints"


def train(options: TrainOptions) -> Path:
    """Train, score and write a model repository, and push it if the options say so.

    Under `accelerate launch`, every process calls this function; the first one writes.

    Returns:
        The folder of the model repository.

    Raises:
        InputError: an option is wrong, the photos cannot be read, the output exists, or a training diverges.

    Example:
        >>> train(TrainOptions(data=[Path("CelebAMask-HQ")]))  # doctest: +SKIP
        PosixPath('runs/resnet101-paper')
    """
    recipes, weights = choose_recipes(options), parse_weights(options.weights)
    recipe = recipes[options.variants[0]]  # image sizes and augmentation are the same for all variants
    accelerator = Accelerator(cpu=select_device(options.device).type == "cpu")
    repository = ModelRepository(options.output or Path("runs") / f"{options.backbone}-{options.recipe}")
    if accelerator.is_main_process:
        check_output(repository.folder, options.resume)
        if options.onnx:
            check_packages()
        if options.push_to:  # a failed push should not cost hours of training
            check_push(options.push_to, options.private)
    start = resolve_start(options)
    photos = find_photos(options, weights, add_crops=recipe.augmentation is not None)
    with accelerator.local_main_process_first():  # the other processes then find the decoded photos in the cache
        splits, tests = photos.load(recipe, options.workers)
    backdrops = load_scenes(photos.scenes["test"]) if accelerator.is_main_process else {}
    run = _Run(options, recipes, accelerator, repository, start, photos, splits)
    entries = {variant: _train_variant(run, variant) for variant in dict.fromkeys(options.variants)}
    accelerator.end_training()
    if accelerator.is_main_process:
        repository.save_config(Config.from_training(options.backbone, Preprocessing(recipe.serving_size), entries))
        _score(run, tests, backdrops)
        # Rename the folder first, so that --resume never finds a part of it.
        shutil.rmtree(run.checkpoints.rename(repository.folder / "finished"))
        print(f"written: {repository.folder}")
        _publish(options, repository.folder)
    return repository.folder


def choose_recipes(options: TrainOptions) -> dict[str, Recipe]:
    """Return the recipe of each variant, overridden by the options.

    Raises:
        InputError: a name is unknown, a number is not positive, or the seed is out of range.
    """
    raise_if_unknown("--recipe", options.recipe, RECIPES)
    raise_if_unknown("--backbone", options.backbone, BACKBONES)
    raise_if_unknown("--dataset", options.dataset, ["auto", *LAYOUTS])
    for variant in options.variants:
        raise_if_unknown("--variants", variant, VARIANTS)
    if options.precision:
        raise_if_unknown("--precision", options.precision, ["mixed", "float32"])
    names = {field.name for field in fields(Recipe)} & {field.name for field in fields(TrainOptions)}
    overrides = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    for name, value in sorted((overrides | {"limit": options.limit}).items()):
        if isinstance(value, int | float) and not value > 0:
            flag = name.replace("_", "-")
            raise InputError(f"--{flag} is {value:g}.", remedy="Choose a number above 0.")
    if abs(options.seed) > MAX_SEED:
        raise InputError(f"--seed is {quote(options.seed)}.", remedy=f"Choose a number up to {MAX_SEED}.")
    return {variant: replace(RECIPES[options.recipe][variant], **overrides) for variant in options.variants}


def parse_weights(weights: list[str]) -> dict[str, float]:
    """Parse the values of `--weights`.

    Raises:
        InputError: a value is malformed, or not between 0 and `MAX_WEIGHT`.

    Example:
        >>> parse_weights(["animals=2", "street/head=0.5"])
        {'animals': 2.0, 'street/head': 0.5}
    """
    parsed: dict[str, float] = {}
    for text in weights:
        name, _, number = text.rpartition("=")
        try:
            parsed[name] = float(number)
        except ValueError:
            parsed[name] = math.nan
        if not name or not 0 < parsed[name] < MAX_WEIGHT:
            remedy = f"Give NAME=X with X above 0 and below {MAX_WEIGHT}."
            raise InputError(f"--weights {quote(text)} is invalid.", remedy=remedy)
    return parsed


def resolve_start(options: TrainOptions) -> ModelRepository | None:
    """Return the repository to fine-tune, if any.

    Raises:
        InputError: the repository lacks a variant to train, `init` is also given, or the recipe needs a repository.
    """
    if not options.start:
        if options.recipe == "finetune":
            remedy = "Name one with --start, or choose another recipe."
            raise InputError("--recipe finetune needs a model repository to start from.", remedy=remedy)
        return None
    if options.init:
        raise InputError("--start and --init exclude each other.", remedy="Leave out one of them.")
    repository = ModelRepository(resolve(options.start).folder)
    missing = sorted(set(options.variants) - repository.config.variants.keys())
    raise_if_any(missing, f"variants are not in {options.start}", "Choose others with --variants.")
    return repository


def check_output(output: Path, resume: bool) -> None:
    """Check that no earlier training would be overwritten.

    Raises:
        InputError: the path is a file, or the folder holds a finished or, without `resume`, an interrupted training.
    """
    if any(path.is_file() for path in (output, *output.parents)):
        raise InputError(f"{output} is not a folder.", remedy="Choose another --output.")
    is_finished, has_checkpoints = (output / CONFIG_FILE).exists(), (output / "checkpoints").exists()
    if resume and is_finished and not has_checkpoints:
        raise InputError(f"{output} is finished, so there is nothing to resume.", remedy="Choose another --output.")
    if not resume and (has_checkpoints or is_finished):
        remedy = "Continue it with --resume, or choose another --output."
        raise InputError(f"{output} holds an earlier training.", remedy=remedy)


def _train_variant(run: _Run, variant: str) -> VariantConfig:
    """Train a variant; write its weights, history and figure; return its entry in config.json."""
    options, recipe, start = run.options, run.recipes[variant], run.start
    init = "random" if variant == "random" else options.init or default_init(options.backbone)
    if start:
        init = str(start.weights(variant))
    settings = Settings(variant, options.backbone, init, recipe, options.seed, run.photos.digest())
    checkpoint = run.checkpoints / f"{variant}.pt"
    trained = train_variant(settings, run.splits, run.accelerator, checkpoint, options.resume, options.workers)
    if run.accelerator.is_main_process:
        weights = trained.weights
        if start:
            start_weights = start.load_network(variant).state_dict()
            weights = interpolate_weights(weights, start_weights, recipe.init_blend)
        run.repository.save_weights(variant, options.backbone, weights)
        run.repository.save_history(variant, trained.history)
        figure = run.repository.figure(HISTORY_FIGURES[variant])
        draw_history(figure, trained.history, f"{variant}, {options.backbone}", trained.best_epoch)
    started_from = start.config.variants[variant] if start else None
    return describe_variant(settings, options, trained, run.photos, run.splits, run.accelerator, started_from)


def _score(run: _Run, tests: dict[str, PhotoArrays], backdrops: dict[str, list[np.ndarray]]) -> None:
    """Score the repository on the test photos of each data set; write metrics, figures and card; print the scores."""
    predictor = HairPredictor(run.repository.folder, device=run.accelerator.device)
    datasets = {dataset: pairs for dataset, pairs in run.photos.pairs["test"].items() if pairs}
    metrics = evaluate(predictor, "test", datasets, tests, backdrops, run.repository)
    run.repository.save_metrics(metrics)
    run.repository.save_card(render_card(predictor.config, metrics, run.options.push_to or "USER/NAME"))
    print(format_report(metrics))


def _publish(options: TrainOptions, output: Path) -> None:
    if options.onnx:
        export_onnx(output)
    if options.push_to:
        pushed = push(output, options.push_to, options.private)
        kept = ", keeping the model card that was edited there" if pushed.card_kept else ""
        print(f"pushed: {pushed.url} (tag {pushed.tag}){kept}")
