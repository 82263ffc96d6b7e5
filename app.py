"""The HairSeg page: two masks of a selfie, and its hair in another colour.

python app.py
python app.py --repo runs/resnet101-paper --share
python app.py --repo USER/NAME
python app.py --repo runs/resnet101-paper USER/NAME USER/NAME@TAG

The page answers before its networks are there: then PyTorch is imported, and they are loaded. Gradio is imported once
the arguments are known to be right: its import reads some of the same variables.
"""

import os
import re
import signal
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hairseg.cli.common import Parser, run
from hairseg.errors import InputError, printable
from hairseg.networks.devices import select_device
from hairseg.page.models import MEMORY
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor
    from hairseg.page.models import Model


def parse() -> Parser:
    parser = Parser(prog="app.py", description="Serve the HairSeg page.")
    parser.add_argument(
        "--repo",
        nargs="+",
        help="folders and Hub ids of models, among which visitors choose; the first is shown first (HAIRSEG_REPO, "
        "separated by spaces, else the bundled one)",
    )
    parser.add_argument(
        "--memory",
        type=float,
        default=os.environ.get("HAIRSEG_MEMORY", str(MEMORY)),
        metavar="MB",
        help=f"megabytes of weights, beyond which the model used last longest ago is let go (HAIRSEG_MEMORY, else "
        f"{MEMORY})",
    )
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


def main() -> None:
    args = parse().parse_args()
    if args.auth and not re.fullmatch(r"[^:]+:.+", args.auth):
        raise InputError("--auth does not fit", "USER:PASSWORD")
    if not 0 < args.port < 65536:
        raise InputError(f"the port {args.port} does not exist", "a number from 1 to 65535", "choose another --port")
    if not args.memory > 0:
        raise InputError(f"--memory is {args.memory:g}", "megabytes above 0")
    if args.mcp and args.auth:
        raise InputError(
            "--mcp asks nobody for a password", None, "leave out --auth, or serve the tools by a page of their own"
        )
    if args.mcp and find_spec("mcp") is None:
        raise InputError("--mcp needs the package mcp", "it to be installed", "pip install 'gradio[mcp]'")
    from hairseg.memory import return_large_arrays_to_system
    from hairseg.page.decoding import USUAL
    from hairseg.page.layout import build_page
    from hairseg.page.listed import find_models
    from hairseg.page.login import Login
    from hairseg.page.models import Models
    from hairseg.page.session import PageSession
    from hairseg.page.style import look
    from hairseg.page.temporary import temporary_files

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the page as Ctrl-C does
    return_large_arrays_to_system()
    listed, notices = find_models(args.repo)
    for notice in notices:
        print(f"note: {printable(notice)}", file=sys.stderr)
    login = Login(args.auth) if args.auth else None
    models = Models(listed, lambda model: load(model, args.device), args.memory)
    session = PageSession(models)
    with temporary_files(session.forget):
        page = build_page(session, notices)
        try:
            page.launch(
                server_name=args.host,
                server_port=args.port,
                share=args.share,
                auth=login.admits if login else None,  # pyright: ignore[reportArgumentType]  Gradio awaits it
                mcp_server=args.mcp,
                prevent_thread_lock=True,
                ssr_mode=False,
                _frontend=False,  # else Gradio looks at the page for 3 s and ends it where a busy machine takes longer
                inbrowser=has_desktop(),
                **look(),
            )
        except OSError:
            raise InputError(
                f"{args.host}:{args.port} cannot be used", "a free port of this machine", "choose another --port"
            ) from None
        USUAL.start()
        models.predictor()
        session.speeds.start()
        page.block_thread()
    with suppress(OSError):  # nobody reads it any more
        sys.stdout.flush()
    os._exit(0)  # photos that are still at work would be written where nobody removes them


def load(model: "Model", device: str) -> "HairPredictor":
    """Load the networks and have them look at one photo, so that the first visitor does not wait for kernels."""
    import cv2
    import numpy as np

    from hairseg.inference.predictor import HairPredictor
    from hairseg.memory import trim_memory

    cv2.setNumThreads(1)  # visitors share the cores, not one visitor's steps: it idles less, and a huge photo holds one
    predictor = HairPredictor(model.repository.folder, VARIANTS, select_device(device))
    predictor.alphas(np.zeros((320, 320, 3), np.uint8))
    trim_memory()  # loading takes twice the size of the weights
    return predictor


def has_desktop() -> bool:
    """Is there a person with a browser in front of this machine?"""
    screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return screen and sys.stdout.isatty()


if __name__ == "__main__":
    run(main)
