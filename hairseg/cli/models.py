"""`hairseg models`: compare model repositories."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hairseg.cli.options import Device
from hairseg.errors import InputError, printable

RUNS = Path("runs")
"""Where `hairseg train` writes repositories by default."""


def models(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Model repositories, and folders of them; by default runs, or the bundled repository.",
            show_default=False,
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    no_speed: Annotated[
        bool, typer.Option("--no-speed", help="Do not measure speed, which loads each network.")
    ] = False,
    device: Device = "auto",
) -> int:
    """List model repositories with scores, size and speed.

    Scores can be compared between repositories that were scored on the same photos. Size is in megabytes of weights.
    Speed is in milliseconds for both masks of a photo of 1 megapixel, on this machine.

    \b
    Examples:
      hairseg models
      hairseg models runs hairseg/bundled --json --no-speed
    """
    from hairseg.inference.predictor import HairPredictor
    from hairseg.inference.speed import measure_latency
    from hairseg.networks.devices import select_device
    from hairseg.repository import BUNDLED, ModelRepository
    from hairseg.repository.leaderboard import find_repositories, format_leaderboard, read_row, rows_to_json

    torch_device = select_device(device)
    rows, has_failed = [], False
    for folder in find_repositories(folders or [RUNS if RUNS.is_dir() else BUNDLED]):
        try:
            rows.append(read_row(ModelRepository(folder), printable(folder)))
            if not no_speed:
                predictor = HairPredictor(folder, device=torch_device)
                rows[-1] = replace(rows[-1], milliseconds=measure_latency(predictor))
        except InputError as error:
            print(f"error: {printable(error)}", file=sys.stderr)
            has_failed = True
    print(json.dumps(rows_to_json(rows), indent=2) if json_output else format_leaderboard(rows))
    return 1 if has_failed else 0
