"""Start a page. Gradio and PyTorch are imported late: the page answers before its networks are loaded."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hairseg.errors import InputError, printable
from hairseg.page.registry import MAX_MEGABYTES, ModelRegistry, ServedModel, find_models
from hairseg.page.store import PhotoStore, temporary_folder
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    from hairseg.inference.predictor import HairPredictor

WARM_UP_PHOTO = Path(__file__).parent / "examples" / "astronaut.jpg"


def launch(
    repos: Sequence[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    share: bool = False,
    credentials: str | None = None,
    mcp: bool = False,
    device: str = "auto",
    max_megabytes: float = MAX_MEGABYTES,
) -> None:
    """Serve the page until Ctrl-C or SIGTERM, then end the process.

    Do not import Gradio before: it reads GRADIO_TEMP_DIR when it is imported.

    Args:
        repos: Folders and Hub ids of models; the first one is the default. None: HAIRSEG_REPO, else the bundled one.
        host: Address to listen on.
        port: Port to listen on.
        share: Whether to create a public link, which lasts three days.
        credentials: "USER:PASSWORD" that visitors must enter; None admits everybody.
        mcp: Whether to offer both endpoints as MCP tools.
        device: "auto", "cpu", "cuda" or "mps".
        max_megabytes: Maximum size of the weights in memory.

    Raises:
        InputError: The first model cannot be used, or the address is not free.
    """
    from hairseg.memory import return_large_arrays_to_system
    from hairseg.page.decoder import REGULAR

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C
    return_large_arrays_to_system()
    found, notices = find_models(repos)
    for notice in notices:
        print(f"note: {printable(notice)}", file=sys.stderr)
    models = ModelRegistry(found, lambda model: load(model, device, models.milliseconds_per_photo), max_megabytes)
    photos = PhotoStore(models)
    with temporary_folder(photos.evict_older_than):
        from hairseg.page.app import build_page
        from hairseg.page.security import Login

        login = Login(credentials) if credentials else None
        page = build_page(photos, notices)
        try:
            page.launch(
                server_name=host,
                server_port=port,
                share=share,
                auth=login.check if login else None,
                mcp_server=mcp,
                prevent_thread_lock=True,
                inbrowser=has_desktop(),
            )
        except OSError:
            raise InputError(f"{host}:{port} cannot be used.", remedy="Choose another --port.") from None
        REGULAR.start()
        models.predictor()
        page.block_thread()
    with suppress(OSError):  # a closed pipe
        sys.stdout.flush()
    os._exit(0)  # threads that still work would write photos into a folder that nobody removes


def load(model: ServedModel, device: str, milliseconds_per_photo: dict[str, float]) -> "HairPredictor":
    """Load both networks, warm them up, and store the time that they take for a photo."""
    import cv2

    from hairseg.images import load_photo
    from hairseg.inference.predictor import HairPredictor
    from hairseg.memory import trim_memory
    from hairseg.networks.devices import select_device

    cv2.setNumThreads(1)  # parallelism is across visitors
    predictor = HairPredictor(model.repository.folder, VARIANTS, select_device(device))
    photo = load_photo(WARM_UP_PHOTO)
    predictor.alphas(photo)
    began = time.perf_counter()
    predictor.alphas(photo)
    milliseconds_per_photo[model.name] = 1000 * (time.perf_counter() - began)
    trim_memory()  # loading takes twice the size of the weights
    return predictor


def has_desktop() -> bool:
    """Return whether the page can open in a browser on this machine."""
    has_screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return has_screen and sys.stdout.isatty()
