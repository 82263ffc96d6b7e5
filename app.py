"""The HairSeg page: two masks of a selfie, and its hair in another colour.

python app.py
python app.py --repo runs/resnet101-paper --share
python app.py --repo USER/NAME
"""

import os
import re
import sys
from threading import Thread

from hairseg.commands import Parser, choose_device, run
from hairseg.config import VARIANTS
from hairseg.errors import InputError
from hairseg.hub.failures import HubError
from hairseg.hub.resolution import Resolved, default_repo, resolve
from hairseg.images import load_photo
from hairseg.page.layout import build_page
from hairseg.page.memory import return_large_arrays_to_system
from hairseg.page.style import FIRST_COLOUR, look
from hairseg.page.try_it import EXAMPLES
from hairseg.prediction import HairPredictor
from hairseg.recolouring.recolourer import recolour
from hairseg.repository import BUNDLED


def parse() -> Parser:
    parser = Parser(prog="app.py", description="Serve the HairSeg page.")
    parser.add_argument("--repo", default=default_repo(), help="folder or Hub id (HAIRSEG_REPO, else the bundled one)")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=os.environ.get("GRADIO_SERVER_PORT", "7860"))
    parser.add_argument("--share", action="store_true", help="also make a public link, for three days")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask for a user name and password")
    parser.add_argument("--device", default="auto")
    return parser


def find_weights(repo: str) -> tuple[Resolved, str | None]:
    """The repository to serve, and what visitors should know of it: nobody is left without a page by a silent Hub."""
    try:
        source = resolve(repo)
    except HubError as error:
        return Resolved(BUNDLED), f"the bundled weights are shown, because {str(error)[0].lower()}{str(error)[1:]}"
    return source, source.reason and f"the weights are a cached copy of {source.repo_id}, because {source.reason}."


def main() -> None:
    args = parse().parse_args()
    if args.auth and not re.fullmatch(r"[^:]+:.+", args.auth):
        raise InputError("--auth does not fit", "USER:PASSWORD")
    if not 0 < args.port < 65536:
        raise InputError(f"the port {args.port} does not exist", "a number from 1 to 65535", "choose another --port")
    return_large_arrays_to_system()
    source, notice = find_weights(args.repo)
    if notice:
        print(f"note: {notice}", file=sys.stderr)
    predictor = HairPredictor(source.folder, VARIANTS, choose_device(args.device))
    Thread(target=warm_up, args=[predictor], daemon=True).start()
    page = build_page(predictor, source, notice)
    try:
        page.launch(
            server_name=args.host,
            server_port=args.port,
            share=args.share,
            auth=tuple(args.auth.split(":", 1)) if args.auth else None,
            ssr_mode=False,
            inbrowser=has_desktop(),
            **look(),
        )
    except OSError:
        raise InputError(
            f"{args.host}:{args.port} cannot be used", "a free port of this machine", "choose another --port"
        ) from None


def warm_up(predictor: HairPredictor) -> None:
    """Work on one photo in the background, so that the first visitor does not wait for kernels to be prepared."""
    photo = load_photo(EXAMPLES / "astronaut.jpg")
    recolour(photo, predictor.alphas(photo)["pretrained"], FIRST_COLOUR)


def has_desktop() -> bool:
    """Is there a person with a browser in front of this machine?"""
    screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return screen and sys.stdout.isatty()


if __name__ == "__main__":
    run(main)
