"""`hairseg serve`: the page."""

import re
from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from hairseg.cli.options import Device, Engine, Host, Port, parse_address
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
    host: Host = None,
    port: Port = None,
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
    engine: Engine = "auto",
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
    host, port_number = parse_address(host, port)
    launch(
        [name for name in repo or [] if name.strip()] or None,
        host=host,
        port=port_number,
        share=share,
        credentials=auth,
        mcp=mcp,
        device=device,
        engine=engine,
        max_megabytes=_parse_megabytes(memory or env("HAIRSEG_MEMORY") or str(MAX_MEGABYTES)),
    )


def _parse_megabytes(text: str) -> float:
    with suppress(ValueError):
        if float(text) > 0:
            return float(text)
    raise InputError(f"--memory is {quote(text)}.", remedy="Give a number of megabytes above 0.")
