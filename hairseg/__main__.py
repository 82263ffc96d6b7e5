"""Masks, cut-outs and recoloured pictures from the command line; model repositories side by side.

python -m hairseg PHOTO_OR_FOLDER... --output DIR
python -m hairseg models [FOLDER...] [--json]
"""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hairseg.cli.common import Parser, run
from hairseg.errors import InputError, printable
from hairseg.files import WriteError
from hairseg.images import alpha_to_grey, load_photo
from hairseg.inference.folder import find_photos, result_path, write_picture
from hairseg.memory import return_large_arrays_to_system
from hairseg.networks.devices import select_device
from hairseg.paper import VARIANTS
from hairseg.recolouring.collages import contact_sheet
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.recolourer import HairRecolourer
from hairseg.recolouring.settings import NUMBERS, RecolourSettings, describe

MODELS = "models"  # the first word of a command line that lists them

RUNS = Path("runs")  # where train.py puts them

FEW = 3  # photos that need no progress bar

PIXELS_AT_ONCE = 48_000_000  # a cut-out takes some 80 bytes for each while it is made: 4 GB


def parse() -> Parser:
    parser = Parser(
        prog="python -m hairseg",
        description="Segment the hair of photos and recolour it.",
        epilog=f"python -m hairseg {MODELS} --help tells of another command: it lists model repositories with their "
        f"scores. A photo or a folder of that name is ./{MODELS}.",
    )
    parser.add_argument("photos", nargs="+", type=photo, metavar="PHOTO", help="files, and folders with all below them")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder of the results (this one)")
    parser.add_argument("--colour", help="#rrggbb or a preset's name such as copper; also write the recoloured photo")
    for name in NUMBERS:
        about = describe(name)
        span = f"{about['lowest']:g} to {about['highest']:g}"
        parser.add_argument(
            flag(name),
            type=float,
            default=about["default"],
            metavar="X",
            help=f"{about['help']}; {span} ({about['default']:g})",
        )
    parser.add_argument(flag("second_colour"), metavar="COLOUR", help=describe("second_colour")["help"])
    modes = describe("second_mode")
    parser.add_argument(flag("second_mode"), choices=modes["choices"], default=modes["default"], help=modes["help"])
    parser.add_argument("--contact-sheet", action="store_true", help="also write a sheet with the hair in every preset")
    parser.add_argument("--skip-existing", action="store_true", help="leave out photos whose results are all there")
    parser.add_argument("--variant", default="pretrained", choices=VARIANTS)
    parser.add_argument("--repo", help="folder or Hub id (HAIRSEG_REPO, else the bundled one)")
    parser.add_argument("--device", default="auto")
    return parser


def parse_models() -> Parser:
    parser = Parser(
        prog=f"python -m hairseg {MODELS}",
        description="List model repositories: backbones, recipes, scores (compared where they are of the same photos), "
        "megabytes of weights, and milliseconds that the masks of a photo of 1 megapixel take here.",
    )
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="model repositories, and folders that hold some (runs, else the bundled one)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--no-speed", action="store_true", help="do not measure milliseconds, which loads every network"
    )
    parser.add_argument("--device", default="auto")
    return parser


def photo(argument: str) -> Path:
    """A path of the command line. Raises ValueError for "", which would be the current folder with all below it."""
    if not argument:
        raise ValueError
    return Path(argument)


def flag(setting: str) -> str:
    return "--" + setting.replace("_", "-")


def main() -> int:
    if sys.argv[1:2] == [MODELS]:
        return list_models(sys.argv[2:])
    args = parse().parse_args()
    if args.colour:
        parse_colour(args.colour)
    settings = RecolourSettings(**{name: getattr(args, name) for name in (*NUMBERS, "second_colour", "second_mode")})
    photos = find_photos(args.photos, args.output)
    kinds = ["alpha", "cutout", *(["recoloured"] if args.colour else []), *(["sheet"] if args.contact_sheet else [])]
    unfinished = [
        target
        for target in photos
        if not (args.skip_existing and all(result_path(target, kind).exists() for kind in kinds))
    ]
    done = segment(photos, unfinished, kinds, settings, args) if unfinished else 0
    failed = len(unfinished) - done
    if len(photos) > 1:
        print(f"{done} photos done, {len(photos) - len(unfinished)} skipped, {failed} unreadable", file=sys.stderr)
    return 1 if failed else 0


def segment(
    photos: dict[Path, Path], unfinished: list[Path], kinds: list[str], settings: RecolourSettings, args: Namespace
) -> int:
    """Write the results of those photos that are unfinished, on all cores. Returns how many went well."""
    # they take PyTorch along, for which a mistake on the command line need not wait
    from hairseg.hub.resolve import default_repo, resolve
    from hairseg.inference.predictor import HairPredictor
    from hairseg.inference.workers import PixelBudget, in_threads, share_cores

    predictor = HairPredictor(resolve(args.repo or default_repo()).folder, [args.variant], select_device(args.device))
    args.output.mkdir(parents=True, exist_ok=True)
    threads = share_cores(len(photos))
    return_large_arrays_to_system()
    budget = PixelBudget(PIXELS_AT_ONCE)

    def finish(target: Path) -> bool:
        """Write one photo's results. Whatever is wrong with this photo is said, and does not stop the others."""
        try:
            photo = load_photo(photos[target], str(photos[target]))
            with budget.reserve(photo.shape[0] * photo.shape[1]):
                alpha = predictor.alphas(photo)[args.variant]
                for kind, picture in draw(photo, alpha, kinds, args.colour, settings):
                    write_picture(result_path(target, kind), picture)
        except (WriteError, OSError):  # a full disk, say, that is full for the others too
            raise
        except InputError as error:
            report(str(error))
        except Exception as error:
            report(f"{photos[target]} cannot be worked on ({type(error).__name__}: {error}); the others go on.")
        else:
            return True
        return False

    return sum(
        tqdm(
            in_threads(finish, unfinished, threads),
            total=len(unfinished),
            unit="photo",
            disable=len(unfinished) <= FEW,
            mininterval=0.1 if sys.stderr.isatty() else 30,
        )
    )


def list_models(words: Sequence[str]) -> int:
    """The command `models`. What is wrong with one repository does not stop the others."""
    args = parse_models().parse_args(words)
    from hairseg.inference.predictor import HairPredictor
    from hairseg.inference.speed import measure_latency
    from hairseg.repository import BUNDLED, ModelRepository
    from hairseg.repository.leaderboard import find_repositories, format_leaderboard, read_row, rows_to_json

    device = select_device(args.device)
    rows, failed = [], False
    for folder in find_repositories(args.folders or [RUNS if RUNS.is_dir() else BUNDLED]):
        try:
            rows.append(read_row(ModelRepository(folder), printable(folder)))
            if not args.no_speed:
                predictor = HairPredictor(folder, device=device)
                rows[-1] = replace(rows[-1], milliseconds=measure_latency(predictor))
        except InputError as error:
            report(str(error))
            failed = True
    print(json.dumps(rows_to_json(rows), indent=2) if args.json else format_leaderboard(rows))
    return 1 if failed else 0


def draw(
    photo: np.ndarray, alpha: np.ndarray, kinds: list[str], colour: str, settings: RecolourSettings
) -> Iterator[tuple[str, np.ndarray]]:
    """The results that are wanted of one photo, each with its kind."""
    recolourer = HairRecolourer(photo, alpha)
    yield "alpha", alpha_to_grey(alpha)
    yield "cutout", recolourer.cutout()
    if "recoloured" in kinds:
        yield "recoloured", recolourer.recolour(colour, settings)
    if "sheet" in kinds:
        yield "sheet", contact_sheet(photo, alpha, settings)


def report(error: str) -> None:
    tqdm.write(f"error: {printable(error)}", file=sys.stderr)


def command() -> None:
    """The command `hairseg`."""
    run(main)


if __name__ == "__main__":
    command()
