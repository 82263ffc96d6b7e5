"""`hairseg predict`: write masks, cut-outs and recoloured photos."""

import os
import sys
from collections.abc import Iterable, Iterator
from glob import glob
from pathlib import Path
from typing import Annotated, Literal

import typer
from tqdm import tqdm

from hairseg.cli.options import Device, Engine, Repo, expand_dataclasses
from hairseg.errors import InputError, printable
from hairseg.inference.folder import find_photos, process_photos, result_path
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.settings import RecolourSettings

MAX_PHOTOS_WITHOUT_PROGRESS_BAR = 3


@expand_dataclasses()
def predict(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO", help="Photos, and folders, which are searched recursively.")
    ],
    settings: RecolourSettings,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the results.")] = Path(),
    colour: Annotated[
        str | None, typer.Option(help="Also write the recoloured photo: #rrggbb, or a preset such as copper.")
    ] = None,
    contact_sheet: Annotated[
        bool, typer.Option("--contact-sheet", help="Also write a contact sheet with the hair in each preset colour.")
    ] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip photos whose results all exist.")
    ] = False,
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
    """
    if colour:
        parse_colour(colour)
    if "" in photos:
        raise InputError("A PHOTO is empty.", remedy="Name a file or a folder.")
    found = find_photos(_expand_wildcards(photos), output)
    kinds = ["alpha", "cutout", *(["recoloured"] if colour else []), *(["sheet"] if contact_sheet else [])]
    todo = {
        target: photo
        for target, photo in found.items()
        if not (skip_existing and all(result_path(target, kind).exists() for kind in kinds))
    }
    failed = 0
    if todo:
        from hairseg.hub.resolve import default_repo, resolve  # imports PyTorch, so after the checks
        from hairseg.inference.engines import ENGINE_TITLES
        from hairseg.inference.predictor import HairPredictor
        from hairseg.networks.devices import select_device

        folder = resolve(repo or default_repo()).folder
        predictor = HairPredictor(folder, [variant], select_device(device), engine)
        results = process_photos(todo, predictor, variant, kinds, colour, settings, max_threads=len(found))
        is_disabled = len(todo) <= MAX_PHOTOS_WITHOUT_PROGRESS_BAR
        interval = 0.1 if sys.stderr.isatty() else 30  # a log file gets a new line for each update
        title = ENGINE_TITLES[predictor.engine]
        for result in tqdm(results, title, total=len(todo), unit="photo", disable=is_disabled, mininterval=interval):
            if result.error:
                tqdm.write(f"error: {printable(result.error)}", file=sys.stderr)
                failed += 1
    if len(found) > 1:
        done, skipped = len(todo) - failed, len(found) - len(todo)
        print(f"{done} photos done, {skipped} skipped, {failed} unreadable", file=sys.stderr)
    return 1 if failed else 0


def _expand_wildcards(names: Iterable[str]) -> Iterator[Path]:
    """Expand wildcards, since the shells of Windows do not."""
    for name in names:
        matches = [] if os.path.lexists(name) else sorted(glob(name))
        yield from map(Path, matches or [name])
