"""`hairseg predict`: masks, cut-outs and recoloured photos of many files."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from tqdm import tqdm

from hairseg.cli.options import expand_dataclasses
from hairseg.errors import InputError, printable
from hairseg.inference.folder import PhotoResult, find_photos, process_photos, result_path
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
    repo: Annotated[
        str | None,
        typer.Option(
            metavar="REPO", help="Folder or Hub id of the model; by default HAIRSEG_REPO, or the bundled one."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
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
    found = find_photos(map(Path, photos), output)
    kinds = ["alpha", "cutout", *(["recoloured"] if colour else []), *(["sheet"] if contact_sheet else [])]
    todo = {
        target: photo
        for target, photo in found.items()
        if not (skip_existing and all(result_path(target, kind).exists() for kind in kinds))
    }
    failed = 0
    if todo:
        # These imports load PyTorch, which the checks above need not wait for.
        from hairseg.hub.resolve import default_repo, resolve
        from hairseg.inference.predictor import HairPredictor
        from hairseg.networks.devices import select_device

        folder = resolve(repo or default_repo()).folder
        predictor = HairPredictor(folder, [variant], select_device(device))
        results = process_photos(todo, predictor, variant, kinds, colour, settings, max_threads=len(found))
        failed = sum(not _report(result) for result in _show_progress(results, len(todo)))
    if len(found) > 1:
        done, skipped = len(todo) - failed, len(found) - len(todo)
        print(f"{done} photos done, {skipped} skipped, {failed} unreadable", file=sys.stderr)
    return 1 if failed else 0


def _show_progress(results: Iterator[PhotoResult], total: int) -> Iterator[PhotoResult]:
    """Show a progress bar for more than a few photos."""
    return iter(
        tqdm(
            results,
            total=total,
            unit="photo",
            disable=total <= MAX_PHOTOS_WITHOUT_PROGRESS_BAR,
            mininterval=0.1 if sys.stderr.isatty() else 30,
        )
    )


def _report(result: PhotoResult) -> bool:
    """Print the error of a photo, if any; return whether it succeeded."""
    if result.error:
        tqdm.write(f"error: {printable(result.error)}", file=sys.stderr)
    return result.error is None
