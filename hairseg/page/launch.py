"""Start a page. Gradio and PyTorch are imported late: the page answers before its networks are loaded."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, getproxies_environment

from hairseg.environment import env
from hairseg.errors import InputError, printable, quote
from hairseg.page.registry import MAX_MEGABYTES, ModelRegistry, ServedModel, Speed, find_models
from hairseg.page.store import PhotoStore, temporary_folder
from hairseg.paper import VARIANTS

if TYPE_CHECKING:
    import gradio as gr

    from hairseg.inference.predictor import HairPredictor


ROOT_PATH = re.compile(r"(https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?)?(/(?!\.{1,2}(/|$))[\w.~%@+=:-]+)*", re.ASCII)

READ_BY_LAUNCH = {"GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ROOT_PATH"}

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
    engine: str = "auto",
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
        engine: "auto", "pytorch" or "openvino"; see `HairPredictor`.
        max_megabytes: Maximum size of the weights in memory.

    Raises:
        InputError: The first model cannot be used, the address is not free, or GRADIO_ROOT_PATH is malformed.
    """
    from hairseg.memory import return_large_arrays_to_system
    from hairseg.page.decoder import REGULAR

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C
    return_large_arrays_to_system()
    root_path = parse_root_path(env("GRADIO_ROOT_PATH") or "")
    exempt_loopback_from_proxies(host)
    found, notices = find_models(repos)
    for notice in notices:
        print(f"note: {printable(notice)}", file=sys.stderr)
    models = ModelRegistry(found, lambda model: load(model, device, engine, models.measured), max_megabytes)
    photos = PhotoStore(models)
    remove_variables_that_stop_gradio()
    with temporary_folder(photos.evict_older_than):
        if env("SPACES_ZERO_GPU"):
            import_module("hairseg.page.zero_gpu")
        from hairseg.page.app import build_page
        from hairseg.page.security import Login

        login = Login(credentials) if credentials else None
        page = build_page(photos, notices)
        start(page, host, port, root_path=root_path, share=share, auth=login.check if login else None, mcp_server=mcp)
        from gradio.tunneling import CURRENT_TUNNELS

        def load_first() -> None:
            REGULAR.start()
            models.predictor()

        load_and_wait_for_signal(load_first)
        for tunnel in CURRENT_TUNNELS:
            tunnel.kill()
    with suppress(OSError):  # a closed pipe
        sys.stdout.flush()
    os._exit(0)  # threads that still work would write photos into a folder that nobody removes


def load_and_wait_for_signal(load: Callable[[], object]) -> None:
    """Call a function in a thread, and return when Ctrl-C or SIGTERM arrives.

    The handlers raise no KeyboardInterrupt, which Python ignores in callbacks of weak references. These are frequent
    while modules are imported.

    Raises:
        Exception: `load` raised it.
    """
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: received.append(number))
    loading = ThreadPoolExecutor(1, "load").submit(load)
    while not received:
        if loading.done():
            loading.result()
        time.sleep(0.1)


def start(page: "gr.Blocks", host: str, port: int, **options: Any) -> None:
    """Serve a page in the background.

    Raises:
        InputError: The address cannot be used.
    """
    try:
        page.launch(server_name=host, server_port=port, prevent_thread_lock=True, inbrowser=has_desktop(), **options)
    except OSError:
        raise InputError(f"{host}:{port} cannot be used.", remedy="Choose another --port.") from None


def parse_root_path(text: str) -> str:
    """Return a root path, which is the path of a proxy or a full URL, without a slash at its end.

    Raises:
        InputError: It is neither.

    Example:
        >>> parse_root_path("/hair/"), parse_root_path("/"), parse_root_path("https://example.org/hair")
        ('/hair', '', 'https://example.org/hair')
    """
    root_path = text.removesuffix("/")
    if not ROOT_PATH.fullmatch(root_path):
        raise InputError(
            f"GRADIO_ROOT_PATH is {quote(text)}.",
            remedy="Give a path such as /hair, or a URL such as https://HOST/hair.",
        )
    return root_path


def exempt_loopback_from_proxies(host: str) -> None:
    """Add this machine to `no_proxy`, since Gradio requests its own page when it starts.

    Any proxy variable overrides the settings of macOS and Windows, which are therefore copied to variables.
    """
    if not getproxies_environment():
        system = getproxies()
        os.environ.update({f"{scheme}_proxy": system[scheme] for scheme in ("http", "https") if system.get(scheme)})
    if not getproxies_environment():
        return
    exempt = (env("no_proxy") or env("NO_PROXY") or "").split(",")
    if exempt != ["*"]:
        exempt += ["localhost", "127.0.0.1", "::1", host.strip("[]")]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(dict.fromkeys(name for name in exempt if name.strip()))


def remove_variables_that_stop_gradio() -> None:
    """Remove environment variables for which Gradio raises an exception when it is imported or launched.

    These are blank ones, those that are passed to `gr.Blocks.launch` instead, and proxies with a scheme that httpx does
    not support, such as socks5h without the package socksio.
    """
    for name, value in list(os.environ.items()):
        if name in READ_BY_LAUNCH or (name.startswith("GRADIO_") and not value.strip()):
            del os.environ[name]
    proxies = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]
    if not proxies:
        return
    import httpx

    for name in proxies:
        address = os.environ[name]
        try:
            httpx.Client(proxy=address if "://" in address else f"http://{address}").close()
        except (ImportError, ValueError, httpx.InvalidURL):
            print(f"note: {name} is not used by the page: httpx does not support its scheme.", file=sys.stderr)
            del os.environ[name]


def load(model: ServedModel, device: str, engine: str, measured: dict[str, Speed]) -> "HairPredictor":
    """Load both networks, warm them up, and store the time that they take for a photo."""
    import cv2

    from hairseg.images import load_photo
    from hairseg.inference.predictor import HairPredictor
    from hairseg.memory import trim_memory
    from hairseg.networks.devices import select_device

    cv2.setNumThreads(1)  # parallelism is across visitors
    if env("SPACES_ZERO_GPU"):
        from hairseg.page.zero_gpu import ZeroGpuPredictor

        predictor = ZeroGpuPredictor(model.repository.folder)
    else:
        predictor = HairPredictor(model.repository.folder, VARIANTS, select_device(device), engine)
    photo = load_photo(WARM_UP_PHOTO)
    predictor.alphas(photo)
    began = time.perf_counter()
    predictor.alphas(photo)
    measured[model.name] = Speed(predictor.engine, 1000 * (time.perf_counter() - began))
    trim_memory()  # loading takes twice the size of the weights
    return predictor


def has_desktop() -> bool:
    """Return whether the page can open in a browser on this machine."""
    has_screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return has_screen and sys.stdout.isatty()
