"""Start the page, which answers before its networks are loaded: PyTorch is imported afterwards."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from hairseg.errors import InputError, printable
from hairseg.page.models import MEMORY as MAX_MEGABYTES
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor
    from hairseg.page.models import Model


def launch(
    repos: Sequence[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    share: bool = False,
    credentials: str | None = None,
    mcp: bool = False,
    device: str = "auto",
    megabytes: float = MAX_MEGABYTES,
) -> None:
    """Serve the page until the process is interrupted or terminated."""
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
    listed, notices = find_models(list(repos or []))
    for notice in notices:
        print(f"note: {printable(notice)}", file=sys.stderr)
    login = Login(credentials) if credentials else None
    models = Models(listed, lambda model: _load(model, device), megabytes)
    session = PageSession(models)
    with temporary_files(session.forget):
        page = build_page(session, notices)
        try:
            page.launch(
                server_name=host,
                server_port=port,
                share=share,
                auth=login.admits if login else None,  # pyright: ignore[reportArgumentType]  Gradio awaits it
                mcp_server=mcp,
                prevent_thread_lock=True,
                ssr_mode=False,
                _frontend=False,  # otherwise Gradio gives up when a busy machine does not answer within 3 seconds
                inbrowser=_has_desktop(),
                **look(),
            )
        except OSError:
            raise InputError(f"{host}:{port} is not available.", remedy="Choose another --port or --host.") from None
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


def _has_desktop() -> bool:
    """Return whether someone who can see a browser has started this process."""
    has_screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return has_screen and sys.stdout.isatty()
