"""The HairSeg page: two masks of a selfie, and its hair in another colour.

python app.py
python app.py --repo runs/resnet101-paper --share
python app.py --repo USER/NAME
python app.py --repo runs/resnet101-paper USER/NAME USER/NAME@TAG

Gradio is imported once the arguments are valid: its import reads some of the same variables.
"""

import os
import re
from importlib.util import find_spec

from hairseg.cli.common import Parser, run
from hairseg.errors import InputError
from hairseg.page.registry import MAX_MEGABYTES as MEMORY


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
    from hairseg.page.launch import launch

    launch(
        args.repo,
        host=args.host,
        port=args.port,
        share=args.share,
        credentials=args.auth,
        mcp=args.mcp,
        device=args.device,
        megabytes=args.memory,
    )


if __name__ == "__main__":
    run(main)
