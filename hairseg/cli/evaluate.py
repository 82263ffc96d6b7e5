"""`hairseg evaluate`: score a model repository on data sets."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer

from hairseg.cli.options import Cluster, Device, Repo
from hairseg.errors import InputError, raise_if_unknown


def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(metavar="FOLDER...", help="Folders of the data sets. Figures show the first one."),
    ],
    dataset: Annotated[str, typer.Option(metavar="LAYOUT", help="Layout of the data set; auto: detect it.")] = "auto",
    scenes: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER...",
            help="Folders of photos without people. With them, framing and photos without hair are scored, too.",
        ),
    ] = None,
    include_hairless: Annotated[
        bool, typer.Option("--include-hairless", help="Include people without a hair mask, as empty masks.")
    ] = False,
    split: Annotated[Literal["test", "val", "train", "all"], typer.Option(help="Which photos to score.")] = "test",
    repo: Repo = None,
    workers: Annotated[int, typer.Option(help="Threads that decode photos.", show_default="one per core")] = (
        os.cpu_count() or 1
    ),
    device: Device = "auto",
    cluster: Cluster = None,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of metrics.json and figures.")] = Path(
        "runs/evaluation"
    ),
) -> None:
    """Score a model repository on one or more data sets, and by type of photo over all of them.

    \b
    Examples:
      hairseg evaluate --data CelebAMask-HQ
      hairseg evaluate --data CelebAMask-HQ Figaro1k street --scenes BSDS500 animals
      hairseg evaluate --data Figaro1k --repo runs/resnet101-paper --output runs/figaro1k
      hairseg evaluate --data /shared/CelebAMask-HQ --cluster auto
    """
    from hairseg.data.datasets import LAYOUTS, find_datasets, find_scenes, load_scenes
    from hairseg.data.decoded import load_arrays
    from hairseg.evaluation.evaluate import evaluate as score
    from hairseg.evaluation.report import format_report
    from hairseg.hub.resolve import default_repo, resolve
    from hairseg.inference.predictor import HairPredictor
    from hairseg.networks.devices import select_device
    from hairseg.repository import ModelRepository

    torch_device = select_device(device)
    raise_if_unknown("--dataset", dataset, ["auto", *LAYOUTS])
    datasets = find_datasets(data, dataset, include_hairless)
    datasets = {name: [pair for pair in pairs if split in (pair.split, "all")] for name, pairs in datasets.items()}
    for folder, pairs in zip(data, datasets.values(), strict=True):
        if not pairs:
            raise InputError(f"{folder} has no photos in the {split} split.", remedy="Try --split all.")
    scene_pairs = [pair for pair in find_scenes(*(scenes or [])) if split in (pair.split, "all")]
    if scenes and not scene_pairs:
        folders = " and ".join(map(str, scenes))
        raise InputError(f"{folders} has no scenes in the {split} split.", remedy="Add scenes, or try --split all.")
    backdrops = load_scenes(scene_pairs)
    folder = resolve(repo or default_repo()).folder
    predictor = HairPredictor(folder, device=torch_device)
    preprocessing = predictor.config.preprocessing
    arrays = {name: load_arrays({name: pairs}, preprocessing, workers) for name, pairs in datasets.items()}
    repository = ModelRepository(output)
    with ExitStack() as stack:
        map_parts = map
        if cluster is not None:
            from hairseg.cluster.connect import connect
            from hairseg.cluster.evaluate import map_on_cluster

            ray = stack.enter_context(connect(cluster))
            map_parts = stack.enter_context(map_on_cluster(ray, predictor))
        metrics = score(predictor, split, datasets, arrays, backdrops, repository, map_parts)
    repository.save_metrics(metrics)
    print(format_report(metrics))
    print(f"written: metrics.json, figures and worst.png in {output}")
