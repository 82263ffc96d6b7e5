"""`hairseg serve`: the page.

The page answers before its networks are loaded. PyTorch is imported afterwards. Gradio is imported once the arguments
are checked, since its import reads some of the same environment variables.
"""

import os
import re
import signal
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hairseg.environment import env
from hairseg.errors import InputError, printable, quote
from hairseg.page.models import MEMORY
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor
    from hairseg.page.models import Model


def serve(
    repo: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REPO...",
            help="Folders and Hub ids of the models that visitors can choose, the default one first; by default "
            "HAIRSEG_REPO (separated by spaces), or the bundled model.",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="MB",
            help="Megabytes of weights to keep in memory before the least recently used model is unloaded; by default "
            f"HAIRSEG_MEMORY, or {MEMORY}.",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; by default GRADIO_SERVER_NAME, or 127.0.0.1.")
    ] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Port to listen on; by default GRADIO_SERVER_PORT, or 7860.")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="Also create a public link, for three days.")] = False,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="USER:PASSWORD",
            help="Ask for a user name and password; by default HAIRSEG_AUTH, which other users of this machine cannot "
            "see.",
        ),
    ] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Offer both endpoints to assistants as MCP tools.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Serve the page.

    \b
    Examples:
      hairseg serve
      hairseg serve --repo runs/resnet101-paper --share
      hairseg serve --repo runs/resnet101-paper USER/NAME USER/NAME@REVISION
    """
    auth = auth or env("HAIRSEG_AUTH")
    if auth and not re.fullmatch(r"[^:]+:.+", auth):
        raise InputError("--auth is malformed.", remedy="Give USER:PASSWORD.")
    if mcp and auth:
        raise InputError(
            "--mcp tools do not ask for a password.", remedy="Leave out --auth, or serve the tools separately."
        )
    if mcp and find_spec("mcp") is None:
        raise InputError("--mcp needs the package mcp.", remedy="Install it: pip install 'gradio[mcp]'.")
    address = {
        "server_name": _bracket(host or env("GRADIO_SERVER_NAME") or "127.0.0.1"),
        "server_port": _read_port(port or env("GRADIO_SERVER_PORT") or "7860"),
        "share": share,
        "mcp_server": mcp,
    }
    megabytes = _read_megabytes(memory or env("HAIRSEG_MEMORY") or str(MEMORY))
    _run_page([name for name in repo or [] if name.strip()], megabytes, auth, device, address)


def _run_page(repos: list[str], megabytes: float, auth: str | None, device: str, address: dict[str, Any]) -> None:
    """Serve the page until the process is interrupted or terminated.

    Args:
        address: arguments of `gradio.Blocks.launch`.
    """
    from hairseg.memory import return_large_arrays_to_system
    from hairseg.page.decoding import USUAL
    from hairseg.page.layout import build_page
    from hairseg.page.listed import find_models
    from hairseg.page.login import Login
    from hairseg.page.models import Models
    from hairseg.page.session import PageSession
    from hairseg.page.style import look
    from hairseg.page.temporary import temporary_files

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # shut down as after Ctrl-C
    return_large_arrays_to_system()
    listed, notices = find_models(repos)
    for notice in notices:
        print(f"note: {printable(notice)}", file=sys.stderr)
    login = Login(auth) if auth else None
    models = Models(listed, lambda model: _load(model, device), megabytes)
    session = PageSession(models)
    with temporary_files(session.forget):
        page = build_page(session, notices)
        try:
            page.launch(
                **address,
                auth=login.admits if login else None,  # pyright: ignore[reportArgumentType]  Gradio awaits it
                prevent_thread_lock=True,
                ssr_mode=False,
                _frontend=False,  # otherwise Gradio gives up when a busy machine does not answer within 3 seconds
                inbrowser=_has_desktop(),
                **look(),
            )
        except OSError:
            place = f"{address['server_name']}:{address['server_port']}"
            raise InputError(f"{place} is not available.", remedy="Choose another --port or --host.") from None
        USUAL.start()
        models.predictor()
        session.speeds.start()
        page.block_thread()
    with suppress(OSError):  # the parent process may have closed it
        sys.stdout.flush()
    os._exit(0)  # threads that still process photos would write files that nothing removes


def _load(model: "Model", device: str) -> "HairPredictor":
    """Load the networks and run them once, so that the first visitor does not wait for kernels."""
    import cv2
    import numpy as np

    from hairseg.inference.predictor import HairPredictor
    from hairseg.memory import trim_memory
    from hairseg.networks.devices import select_device

    cv2.setNumThreads(1)  # requests run in parallel, so that more threads per request would only compete
    predictor = HairPredictor(model.repository.folder, VARIANTS, select_device(device))
    predictor.alphas(np.zeros((320, 320, 3), np.uint8))
    trim_memory()  # loading takes twice the size of the weights
    return predictor


def _bracket(host: str) -> str:
    """Put an IPv6 address in brackets, as URLs need it."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _read_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InputError(f"Port {quote(text)} is out of range.", remedy="Choose a --port from 1 to 65535.")
    return int(text)


def _read_megabytes(text: str) -> float:
    with suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise InputError(f"--memory is {quote(text)}.", remedy="Give a number of megabytes above 0.")


def _has_desktop() -> bool:
    """Return whether someone who can see a browser has started this process."""
    has_screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return has_screen and sys.stdout.isatty()
