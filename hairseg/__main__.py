"""Masks, cut-outs and recoloured pictures from the command line: python -m hairseg PHOTO_OR_FOLDER... --output DIR"""

import sys
from pathlib import Path

from tqdm import tqdm

from hairseg.commands import Parser, choose_device, run
from hairseg.errors import InputError
from hairseg.folder import find_photos, result_path, write_picture
from hairseg.hub.resolution import default_repo, resolve
from hairseg.images import alpha_to_grey, load_photo
from hairseg.prediction import HairPredictor
from hairseg.recolouring.foreground import cutout
from hairseg.recolouring.palette import parse_colour
from hairseg.recolouring.recolourer import RecolourSettings, recolour
from hairseg.recolouring.sheet import contact_sheet
from hairseg.repository import VARIANTS
from hairseg.workers import PixelBudget, in_threads, share_cores

FEW = 3  # photos that need no progress bar

PIXELS_AT_ONCE = 48_000_000  # a cut-out takes some 80 bytes for each while it is made: 4 GB


def parse() -> Parser:
    parser = Parser(prog="python -m hairseg", description="Segment the hair of photos and recolour it.")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="files, and folders with all below them")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder of the results (this one)")
    parser.add_argument("--colour", help="#rrggbb or a preset's name such as copper; also write the recoloured photo")
    parser.add_argument("--strength", type=float, default=RecolourSettings.strength, help="0 to 1 (1)")
    parser.add_argument("--vividness", type=float, default=RecolourSettings.vividness, help="-1 natural to 1 vivid (0)")
    parser.add_argument(
        "--lightness", type=float, default=RecolourSettings.lightness, help="-1 darker to 1 lighter (0)"
    )
    parser.add_argument(
        "--natural-roots", type=float, default=RecolourSettings.natural_roots, help="0 to 1 of the length (0)"
    )
    parser.add_argument("--second-colour", help="#rrggbb or preset, for tips or streaks")
    parser.add_argument("--second-mode", choices=["ombre", "streaks"], default=RecolourSettings.second_mode)
    parser.add_argument("--contact-sheet", action="store_true", help="also write a sheet with the hair in every preset")
    parser.add_argument("--skip-existing", action="store_true", help="leave out photos whose results are all there")
    parser.add_argument("--variant", default="pretrained", choices=VARIANTS)
    parser.add_argument("--repo", default=default_repo(), help="folder or Hub id (HAIRSEG_REPO, else the bundled one)")
    parser.add_argument("--device", default="auto")
    return parser


def main() -> int:
    args = parse().parse_args()
    if args.colour:
        parse_colour(args.colour)
    settings = RecolourSettings(
        args.strength, args.vividness, args.lightness, args.natural_roots, args.second_colour, args.second_mode
    )
    photos = find_photos(args.photos, args.output)
    draw = {"alpha": lambda photo, alpha: alpha_to_grey(alpha), "cutout": cutout}
    if args.colour:
        draw["recoloured"] = lambda photo, alpha: recolour(photo, alpha, args.colour, settings)
    if args.contact_sheet:
        draw["sheet"] = lambda photo, alpha: contact_sheet(photo, alpha, settings)
    unfinished = [
        target
        for target in photos
        if not (args.skip_existing and all(result_path(target, kind).exists() for kind in draw))
    ]
    predictor = HairPredictor(resolve(args.repo).folder, [args.variant], choose_device(args.device))
    args.output.mkdir(parents=True, exist_ok=True)
    threads = share_cores(len(photos))
    budget = PixelBudget(PIXELS_AT_ONCE)

    def finish(target: Path) -> bool:
        try:
            photo = load_photo(photos[target], str(photos[target]))
        except InputError as error:
            tqdm.write(f"error: {error}", file=sys.stderr)
            return False
        with budget.reserve(photo.shape[0] * photo.shape[1]):
            alpha = predictor.alphas(photo)[args.variant]
            for kind, picture in draw.items():
                write_picture(result_path(target, kind), picture(photo, alpha))
        return True

    done = sum(
        tqdm(
            in_threads(finish, unfinished, threads),
            total=len(unfinished),
            unit="photo",
            disable=len(unfinished) <= FEW,
            mininterval=0.1 if sys.stderr.isatty() else 30,
        )
    )
    failed = len(unfinished) - done
    if len(photos) > 1:
        print(f"{done} photos done, {len(photos) - len(unfinished)} skipped, {failed} unreadable", file=sys.stderr)
    return 1 if failed else 0


def command() -> None:
    """The command `hairseg`."""
    run(main)


if __name__ == "__main__":
    command()
