"""Masks, cut-outs and recoloured pictures from the command line: python -m hairseg PHOTO... --output DIR"""

import sys
from pathlib import Path

from tqdm import tqdm

from hairseg import InputError
from hairseg.commands import Parser, choose_device, run
from hairseg.hub import default_repo, resolve
from hairseg.images import alpha_to_grey, encode_png, load_photo
from hairseg.matting import cutout
from hairseg.model import VARIANTS
from hairseg.prediction import HairPredictor
from hairseg.recolour import RecolourSettings, contact_sheet, parse_colour, recolour

FEW = 3  # photos that need no progress bar


def parse() -> Parser:
    parser = Parser(prog="python -m hairseg", description="Segment the hair of photos and recolour it.")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--output", type=Path, default=Path("."), help="folder of the results (this one)")
    parser.add_argument("--colour", help="#rrggbb or a preset's name such as copper; also write the recoloured photo")
    parser.add_argument("--strength", type=float, default=RecolourSettings.strength, help="0 to 1 (1)")
    parser.add_argument("--vividness", type=float, default=RecolourSettings.vividness, help="-1 natural to 1 vivid (0)")
    parser.add_argument("--lightness", type=float, default=RecolourSettings.lightness, help="-1 darker to 1 lighter (0)")
    parser.add_argument("--natural-roots", type=float, default=RecolourSettings.natural_roots, help="0 to 1 of the length (0)")
    parser.add_argument("--second-colour", help="#rrggbb or preset, for tips or streaks")
    parser.add_argument("--second-mode", choices=["ombre", "streaks"], default=RecolourSettings.second_mode)
    parser.add_argument("--contact-sheet", action="store_true", help="also write a sheet with the hair in every preset")
    parser.add_argument("--variant", default="pretrained", choices=VARIANTS)
    parser.add_argument("--repo", default=default_repo(), help="folder or Hub id (HAIRSEG_REPO, else the bundled one)")
    parser.add_argument("--device", default="auto")
    return parser


def main() -> int:
    args = parse().parse_args()
    if args.colour:
        parse_colour(args.colour)
    settings = RecolourSettings(
        args.strength, args.vividness, args.lightness, args.natural_roots, args.second_colour, args.second_mode)
    same_names = {path.stem for path in args.photos if [other.stem for other in args.photos].count(path.stem) > 1}
    if same_names:
        raise InputError(
            f"several photos are called {min(same_names)} and their results would overwrite each other: "
            "expected different names; write them to different --output folders."
        )
    predictor = HairPredictor(resolve(args.repo).folder, [args.variant], choose_device(args.device))
    args.output.mkdir(parents=True, exist_ok=True)
    failed = 0
    for path in tqdm(args.photos, unit="photo", disable=len(args.photos) <= FEW):
        try:
            photo = load_photo(path)
        except InputError as error:
            tqdm.write(f"error: {error}", file=sys.stderr)
            failed += 1
            continue
        alpha = predictor.alphas(photo)[args.variant]
        results = {"alpha": alpha_to_grey(alpha), "cutout": cutout(photo, alpha)}
        if args.colour:
            results["recoloured"] = recolour(photo, alpha, args.colour, settings)
        if args.contact_sheet:
            results["sheet"] = contact_sheet(photo, alpha, settings)
        for kind, picture in results.items():
            (args.output / f"{path.stem}.{kind}.png").write_bytes(encode_png(picture))
    return 1 if failed else 0


if __name__ == "__main__":
    run(main)
