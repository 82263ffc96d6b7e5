"""The HairSeg page: two masks of a selfie, and its hair in another colour.

python app.py
python app.py --repo runs/resnet101-paper --share
python app.py --repo USER/NAME

The page answers before its networks are there: then PyTorch is imported, and they are loaded. Gradio is imported once
the arguments are known to be right: its import reads some of the same variables.
"""

import os
import re
import signal
import sys
from concurrent.futures import Future
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hairseg.commands import Parser, choose_device, run
from hairseg.errors import InputError

if TYPE_CHECKING:
    from hairseg.hub.resolution import Resolved
    from hairseg.prediction import HairPredictor


def parse() -> Parser:
    parser = Parser(prog="app.py", description="Serve the HairSeg page.")
    parser.add_argument("--repo", help="folder or Hub id (HAIRSEG_REPO, else the bundled one)")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=os.environ.get("GRADIO_SERVER_PORT", "7860"))
    parser.add_argument("--share", action="store_true", help="also make a public link, for three days")
    parser.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        default=os.environ.get("HAIRSEG_AUTH"),
        help="ask for a user name and password (HAIRSEG_AUTH, which other users of this machine do not see)",
    )
    parser.add_argument("--mcp", action="store_true", help="offer both endpoints to assistants as tools")
    parser.add_argument("--device", default="auto")
    return parser


def find_weights(repo: str | None) -> "tuple[Resolved | None, str | None]":
    """The repository to serve, and what visitors should know of it: nobody is left without a page by a silent Hub."""
    if repo is None and "HAIRSEG_REPO" not in os.environ:
        return None, None  # bundled
    from hairseg.hub.failures import HubError
    from hairseg.hub.resolution import default_repo, resolve
    from hairseg.repository import VARIANTS, ModelRepository

    try:
        source = resolve(repo or default_repo())
        ModelRepository(source.folder).check(VARIANTS)
    except HubError as error:
        return None, f"the bundled weights are shown, because {str(error)[0].lower()}{str(error)[1:]}"
    return source, source.reason and f"the weights are a cached copy of {source.repo_id}, because {source.reason}."


def main() -> None:
    args = parse().parse_args()
    if args.auth and not re.fullmatch(r"[^:]+:.+", args.auth):
        raise InputError("--auth does not fit", "USER:PASSWORD")
    if not 0 < args.port < 65536:
        raise InputError(f"the port {args.port} does not exist", "a number from 1 to 65535", "choose another --port")
    if args.mcp and find_spec("mcp") is None:
        raise InputError("--mcp needs the package mcp", "it to be installed", "pip install 'gradio[mcp]'")
    from hairseg.page.layout import build_page
    from hairseg.page.login import Login
    from hairseg.page.memory import return_large_arrays_to_system
    from hairseg.page.session import PageSession
    from hairseg.page.style import look
    from hairseg.page.temporary import temporary_files

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the page as Ctrl-C does
    return_large_arrays_to_system()
    source, notice = find_weights(args.repo)
    if notice:
        print(f"note: {notice}", file=sys.stderr)
    login = Login(args.auth) if args.auth else None
    predictor = Future()
    session = PageSession(predictor)
    with temporary_files(session.forget):
        page = build_page(session, source, notice)
        try:
            page.launch(
                server_name=args.host,
                server_port=args.port,
                share=args.share,
                auth=login.admits if login else None,  # pyright: ignore[reportArgumentType]  Gradio awaits it
                mcp_server=args.mcp,
                prevent_thread_lock=True,
                ssr_mode=False,
                inbrowser=has_desktop(),
                **look(),
            )
        except OSError:
            raise InputError(
                f"{args.host}:{args.port} cannot be used", "a free port of this machine", "choose another --port"
            ) from None
        predictor.set_result(load(source, args.device))
        page.block_thread()


def load(source: "Resolved | None", device: str) -> "HairPredictor":
    """Load the networks and have them look at one photo, so that the first visitor does not wait for kernels."""
    import cv2
    import numpy as np

    from hairseg.prediction import HairPredictor
    from hairseg.repository import BUNDLED, VARIANTS

    cv2.setNumThreads(1)  # visitors share the cores, not one visitor's steps: it idles less, and a huge photo holds one
    predictor = HairPredictor(source.folder if source else BUNDLED, VARIANTS, choose_device(device))
    predictor.alphas(np.zeros((320, 320, 3), np.uint8))
    return predictor


def has_desktop() -> bool:
    """Is there a person with a browser in front of this machine?"""
    screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return screen and sys.stdout.isatty()


if __name__ == "__main__":
    run(main)
