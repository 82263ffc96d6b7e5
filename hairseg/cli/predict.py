"""`hairseg predict`: masks, cut-outs and recoloured photos of many files."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from tqdm import tqdm

from hairseg.cli.options import expand_dataclasses
from hairseg.errors import InputError, printable
from hairseg.files import WriteError
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.folder import find_photos, result_path, write_picture
from hairseg.memory import return_large_arrays_to_system
from hairseg.recolouring.collages import contact_sheet
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import RecolourSettings

MAX_PHOTOS_WITHOUT_PROGRESS_BAR = 3

MAX_PIXELS_IN_PROGRESS = 48_000_000
"""Bounds memory to about 4 GB: a cut-out takes some 80 bytes per pixel while it is made."""


@dataclass(frozen=True)
class _Results:
    """Which results are written for each photo, and how."""

    variant: str
    colour: str | None
    settings: RecolourSettings
    contact_sheet: bool

    @property
    def names(self) -> list[str]:
        recoloured = ["recoloured"] if self.colour else []
        return ["alpha", "cutout", *recoloured, *(["sheet"] if self.contact_sheet else [])]

    def draw(self, photo: np.ndarray, alpha: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and picture of each result."""
        recolourer = HairRecolourer(photo, alpha)
        yield "alpha", alpha_to_grey(alpha)
        yield "cutout", recolourer.cutout()
        if self.colour:
            yield "recoloured", recolourer.recolour(self.colour, self.settings)
        if self.contact_sheet:
            yield "sheet", contact_sheet(photo, alpha, self.settings)


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
    results = _Results(variant, colour, settings, contact_sheet)
    todo = [
        target
        for target in found
        if not (skip_existing and all(result_path(target, name).exists() for name in results.names))
    ]
    done = _process(found, todo, results, repo, device) if todo else 0
    failed = len(todo) - done
    if len(found) > 1:
        print(f"{done} photos done, {len(found) - len(todo)} skipped, {failed} unreadable", file=sys.stderr)
    return 1 if failed else 0


def _process(found: dict[Path, Path], todo: list[Path], results: _Results, repo: str | None, device: str) -> int:
    """Write the results of the photos `todo` with one thread per core, and return how many succeeded."""
    from hairseg.hub.resolve import default_repo, resolve
    from hairseg.inference.predictor import HairPredictor
    from hairseg.inference.workers import PixelBudget, in_threads, share_cores
    from hairseg.networks.devices import select_device

    predictor = HairPredictor(resolve(repo or default_repo()).folder, [results.variant], select_device(device))
    threads = share_cores(len(found))
    return_large_arrays_to_system()
    budget = PixelBudget(MAX_PIXELS_IN_PROGRESS)

    def process(target: Path) -> bool:
        try:
            photo = load_photo(found[target], str(found[target]))
            with budget.reserve(photo.shape[0] * photo.shape[1]):
                alpha = predictor.alphas(photo)[results.variant]
                for name, picture in results.draw(photo, alpha):
                    write_picture(result_path(target, name), picture)
        except (WriteError, OSError):  # a full disk, for example, affects the other photos too
            raise
        except InputError as error:
            _report(str(error))
        except Exception as error:  # one photo must not cost the results of the others
            _report(f"{found[target]} cannot be processed ({type(error).__name__}: {error}).")
        else:
            return True
        return False

    return sum(
        tqdm(
            in_threads(process, todo, threads),
            total=len(todo),
            unit="photo",
            disable=len(todo) <= MAX_PHOTOS_WITHOUT_PROGRESS_BAR,
            mininterval=0.1 if sys.stderr.isatty() else 30,
        )
    )


def _report(error: str) -> None:
    tqdm.write(f"error: {printable(error)}", file=sys.stderr)
