"""`hairseg predict`: write masks, cut-outs and recoloured photos."""

import os
import sys
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import Annotated, Literal

import typer
from tqdm import tqdm

from hairseg.cli.options import Cluster, Device, Engine, Repo, expand_dataclasses
from hairseg.errors import InputError, printable
from hairseg.inference.folder import find_photos, process_photos, result_path
from hairseg.inference.rows import ShardWriter
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.settings import RecolourSettings

MAX_PHOTOS_WITHOUT_PROGRESS_BAR = 3


@expand_dataclasses()
def predict(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO",
            help="Photos, and folders, which are searched recursively. With --cluster, one source: a folder, a glob in "
            "quotes, a Parquet file or WebDataset shard, on a disk or at s3://, gs:// or hf://.",
        ),
    ],
    settings: RecolourSettings,
    output: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the results.")] = ".",
    colour: Annotated[
        str | None, typer.Option(help="Also write the recoloured photo: #rrggbb, or a preset such as copper.")
    ] = None,
    contact_sheet: Annotated[
        bool, typer.Option("--contact-sheet", help="Also write a contact sheet with the hair in each preset colour.")
    ] = False,
    results_format: Annotated[
        Literal["png", "parquet"], typer.Option("--format", help="PNG files, or rows of Parquet files.")
    ] = "png",
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip photos whose results all exist.")
    ] = False,
    cluster: Cluster = None,
    variant: Annotated[
        Literal["pretrained", "random"], typer.Option(help="Which of the repository's networks.")
    ] = "pretrained",
    repo: Repo = None,
    device: Device = "auto",
    engine: Engine = "auto",
) -> int:
    """Write masks, cut-outs and recoloured photos.

    Results are NAME.alpha.png (mask), NAME.cutout.png (hair with transparency), NAME.recoloured.png and NAME.sheet.png.

    \b
    Examples:
      hairseg predict selfie.jpg
      hairseg predict holiday --output out --colour "cherry red" --strength 0.8
      hairseg predict holiday --output out --contact-sheet --skip-existing
      hairseg predict s3://bucket/portraits --output s3://bucket/masks --format parquet --cluster auto
    """
    if colour:
        parse_colour(colour)
    if "" in photos:
        raise InputError("A PHOTO is empty.", remedy="Name a file or a folder.")
    kinds = ["alpha", "cutout", *(["recoloured"] if colour else []), *(["sheet"] if contact_sheet else [])]
    as_parquet = results_format == "parquet"
    if cluster is not None:
        return _predict_on_cluster(
            cluster, photos, output, as_parquet, kinds, variant, colour, settings, device, engine, repo
        )
    found = find_photos(_expand_wildcards(photos), Path(output))
    shards = ShardWriter(Path(output), kinds, resume=skip_existing) if as_parquet else None

    def is_finished(target: Path, photo: Path) -> bool:
        if shards:
            return shards.photo_id(target, photo) in shards.ids
        return all(result_path(target, kind).exists() for kind in kinds)

    todo = {target: photo for target, photo in found.items() if not (skip_existing and is_finished(target, photo))}
    failed = 0
    if todo:
        from hairseg.hub.resolve import default_repo, resolve  # imports PyTorch, so after the checks
        from hairseg.inference.engines import ENGINE_TITLES
        from hairseg.inference.predictor import HairPredictor
        from hairseg.networks.devices import select_device

        folder = resolve(repo or default_repo()).folder
        predictor = HairPredictor(folder, [variant], select_device(device), engine)
        results = process_photos(todo, predictor, variant, kinds, colour, settings, len(found), shards)
        is_disabled, title = len(todo) <= MAX_PHOTOS_WITHOUT_PROGRESS_BAR, ENGINE_TITLES[predictor.engine]
        interval = _seconds_between_updates()
        for result in tqdm(results, title, total=len(todo), unit="photo", disable=is_disabled, mininterval=interval):
            if result.error:
                tqdm.write(f"error: {printable(result.error)}", file=sys.stderr)
                failed += 1
    if len(found) > 1:
        done, skipped = len(todo) - failed, len(found) - len(todo)
        print(f"{done} photos done, {skipped} skipped, {failed} unreadable", file=sys.stderr)
    return 1 if failed else 0


def _predict_on_cluster(
    address: str,
    sources: list[str],
    output: str,
    as_parquet: bool,
    kinds: list[str],
    variant: str,
    colour: str | None,
    settings: RecolourSettings,
    device: str,
    engine: str,
    repo: str | None,
) -> int:
    if engine == "openvino":
        raise InputError("--cluster supports only PyTorch.", remedy="Choose --engine pytorch.")
    if len(sources) > 1:
        raise InputError("--cluster takes one source.", remedy="Name a folder, or a glob in quotes.")
    from hairseg.cluster.predict import Run
    from hairseg.cluster.workers import Job, network_files
    from hairseg.hub.resolve import default_repo, resolve

    files = network_files(resolve(repo or default_repo()).folder, [variant])
    run = Run(Job(sources[0], output, files, as_parquet, tuple(kinds), variant, colour, settings, device))
    run.count()
    done = failed = 0
    with tqdm(unit="photo", mininterval=_seconds_between_updates()) as bar:
        for finished in run.process(address):
            bar.total = run.total
            bar.update(finished.photos)
            for error in finished.errors:
                bar.write(f"error: {printable(error)}", file=sys.stderr)
            failed += len(finished.errors)
            done += finished.photos - len(finished.errors)
    if not done + failed + run.skipped:
        raise InputError(f"{sources[0]} contains no pictures.", remedy="Choose another folder, glob or data set.")
    print(f"{done} photos done, {run.skipped} skipped, {failed} unreadable", file=sys.stderr)
    return 1 if failed else 0


def _seconds_between_updates() -> float:
    """Return the update interval of a progress bar, longer in a log file, where each update is a new line."""
    return 0.1 if sys.stderr.isatty() else 30


def _expand_wildcards(names: Iterable[str]) -> Iterator[Path]:
    """Expand wildcards, since the shells of Windows do not."""
    for name in names:
        matches = [] if os.path.lexists(name) else sorted(glob(name))
        yield from map(Path, matches or [name])
