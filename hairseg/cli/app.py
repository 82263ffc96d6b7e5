"""The Typer application that all verbs belong to."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hairseg import __version__
from hairseg.cli import hub
from hairseg.cli.evaluate import evaluate
from hairseg.cli.label import label
from hairseg.cli.models import models
from hairseg.cli.options import MultiValueCommand
from hairseg.cli.predict import predict
from hairseg.cli.serve import serve
from hairseg.cli.train import train
from hairseg.errors import InputError

# The base of all errors in a user's arguments. Typer exports only this subclass of it.
UsageError: Any = typer.BadParameter.__base__

CTRL_C = 130


class Verbs(TyperGroup):
    """Without a verb, the arguments are those of `predict`; without arguments, help is printed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own_options = {option for parameter in self.get_params(ctx) for option in parameter.opts}
        if not args and not ctx.resilient_parsing:
            args = ["--help"]
        elif args and args[0] not in self.commands and args[0].partition("=")[0] not in own_options:
            args = ["predict", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=Verbs, rich_markup_mode=None, pretty_exceptions_enable=False)
for verb in (predict, serve, label, train, evaluate, models):
    app.command(cls=MultiValueCommand)(verb)
app.add_typer(hub.app, name="hub")


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"hairseg {__version__}")
        raise typer.Exit


@app.callback()
def hairseg(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Segment the hair of photos and recolour it.

    \b
    Examples:
      hairseg selfie.jpg --colour copper --output out
      hairseg serve
      hairseg train --data CelebAMask-HQ
      hairseg evaluate --data CelebAMask-HQ --repo runs/resnet101-paper
      hairseg hub push runs/resnet101-paper USER/NAME

    Without a command, `hairseg PHOTO...` is `hairseg predict PHOTO...`. A photo or folder that is named like a command
    is ./NAME. Print the help of a command with `hairseg COMMAND --help`.
    """


def invoke(words: list[str]) -> int:
    """Run `hairseg` with these arguments, and return its exit code.

    Raises:
        InputError: the arguments are wrong, or what the verb raises.
        KeyboardInterrupt: the user has pressed Ctrl-C.
    """
    try:
        code = app(words, prog_name="hairseg", standalone_mode=False)
    except UsageError as error:
        problem = " ".join(error.format_message().split()).rstrip(".")
        command = error.ctx.command_path if error.ctx else "hairseg"
        raise InputError(f"{problem}.", remedy=f"See {command} --help.") from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == CTRL_C:
        raise KeyboardInterrupt
    return code or 0
