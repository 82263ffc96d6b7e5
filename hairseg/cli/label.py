"""`hairseg label`: label the hair of photos in the browser."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hairseg.cli.options import Device, Host, Port, Repo, parse_address
from hairseg.errors import InputError
from hairseg.page.launch import exempt_loopback_from_proxies, remove_variables_that_stop_gradio, start
from hairseg.page.store import temporary_folder
from hairseg.paper import VARIANTS


def label(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with photos/; masks are written to masks/.")],
    repo: Repo = None,
    host: Host = None,
    port: Port = None,
    device: Device = "auto",
) -> None:
    """Label the hair of your own photos in the browser.

    Each photo opens with its saved mask, the draft FOLDER/drafts/NAME.png, or the mask of the model. The result,
    FOLDER/masks/NAME.png, is what `hairseg train --data FOLDER` reads.

    \b
    Examples:
      hairseg label holiday
      hairseg label holiday --repo runs/efficientnet_lite0-modern
    """
    host, port_number = parse_address(host, port)
    if not (folder / "photos").is_dir():  # before PyTorch is imported, which takes seconds
        raise InputError(f"{folder} has no subfolder photos.", remedy=f"Put the photos into {folder / 'photos'}.")
    from hairseg.hub.resolve import default_repo, resolve
    from hairseg.inference.predictor import HairPredictor
    from hairseg.labelling.folder import LabelFolder
    from hairseg.networks.devices import select_device
    from hairseg.repository import ModelRepository

    model = resolve(repo or default_repo()).folder
    variants = ModelRepository(model).config.variants
    variant = next(name for name in VARIANTS if name in variants)
    predictor = HairPredictor(model, [variant], select_device(device))
    label_folder = LabelFolder(folder, lambda photo: predictor.alphas(photo)[variant] >= predictor.config.threshold)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C
    exempt_loopback_from_proxies(host)
    remove_variables_that_stop_gradio()
    with temporary_folder():
        from hairseg.labelling.page import LOOPBACK, build_label_page

        if host not in LOOPBACK:
            print("note: Everyone who can reach this address can change the masks.", file=sys.stderr)
        page = build_label_page(label_folder, host)
        start(page, host, port_number, quiet=True)
        print(f"The page is at http://{host}:{port_number}. Press Ctrl-C to stop it.", file=sys.stderr)
        with suppress(KeyboardInterrupt):
            page.block_thread()
