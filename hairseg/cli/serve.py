"""`hairseg serve`: the page."""

import re
from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from hairseg.cli.options import Device
from hairseg.environment import env
from hairseg.errors import InputError, quote
from hairseg.page.launch import MAX_MEGABYTES, launch


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
            f"HAIRSEG_MEMORY, or {MAX_MEGABYTES}.",
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
    device: Device = "auto",
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
    host = host or env("GRADIO_SERVER_NAME") or "127.0.0.1"
    launch(
        [name for name in repo or [] if name.strip()] or None,
        host=f"[{host}]" if ":" in host and not host.startswith("[") else host,  # URLs need brackets around IPv6
        port=_parse_port(port or env("GRADIO_SERVER_PORT") or "7860"),
        share=share,
        credentials=auth,
        mcp=mcp,
        device=device,
        max_megabytes=_parse_megabytes(memory or env("HAIRSEG_MEMORY") or str(MAX_MEGABYTES)),
    )


def _parse_port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InputError(f"Port {quote(text)} is out of range.", remedy="Choose a --port from 1 to 65535.")
    return int(text)


def _parse_megabytes(text: str) -> float:
    with suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise InputError(f"--memory is {quote(text)}.", remedy="Give a number of megabytes above 0.")
