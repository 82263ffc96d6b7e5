"""Extensions of Typer: options with several values, options from the fields of a dataclass, and shared options."""

import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from hairseg.environment import env
from hairseg.errors import InputError, quote

Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]

Engine = Annotated[
    Literal["auto", "pytorch", "openvino"],
    typer.Option(
        envvar="HAIRSEG_ENGINE",
        help="Inference engine. auto is OpenVINO on a CPU if it is installed, else PyTorch.",
    ),
]

Repo = Annotated[
    str | None,
    typer.Option(metavar="REPO", help="Folder or Hub id of the model; by default HAIRSEG_REPO, or the bundled one."),
]

Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="[ADDRESS]",
        help="Use a Ray cluster: HOST:PORT, auto for the one this machine belongs to, or local. Without ADDRESS, "
        "RAY_ADDRESS or local.",
    ),
]

ADDRESS = re.compile(r"auto|local|(ray://)?[^/]*:\d+")

Host = Annotated[str | None, typer.Option(help="Address to listen on; by default GRADIO_SERVER_NAME, or 127.0.0.1.")]

Port = Annotated[
    str | None, typer.Option(metavar="PORT", help="Port to listen on; by default GRADIO_SERVER_PORT, or 7860.")
]


def parse_address(host: str | None, port: str | None) -> tuple[str, int]:
    """Return the host and port to listen on, with the defaults of `Host` and `Port`.

    Raises:
        InputError: the port is out of range.
    """
    host, port = host or env("GRADIO_SERVER_NAME") or "127.0.0.1", port or env("GRADIO_SERVER_PORT") or "7860"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise InputError(f"Port {quote(port)} is out of range.", remedy="Choose a --port from 1 to 65535.")
    is_bare_ipv6 = ":" in host and not host.startswith("[")
    return f"[{host}]" if is_bare_ipv6 else host, int(port)  # URLs need brackets


class MultiValueCommand(TyperCommand):
    """A command whose options take several values if their metavar ends in "...": `--data A B`.

    The value of an option may be omitted if its metavar is "[ADDRESS]".
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with_address = {
            option for found in self.get_params(ctx) if found.metavar == "[ADDRESS]" for option in found.opts
        }
        for index in [index for index, word in enumerate(args) if word in with_address][::-1]:
            if not ADDRESS.fullmatch(args[index + 1] if index + 1 < len(args) else ""):
                args = [*args[:index], f"{args[index]}=", *args[index + 1 :]]
        parameters = [parameter for parameter in self.get_params(ctx) if str(parameter.metavar).endswith("...")]
        multi_value_options = {option for parameter in parameters for option in parameter.opts}
        repeated, current = [], None  # `--data A B` as `--data A --data B`
        for word in args:
            if word.startswith("-"):
                option = word.partition("=")[0]
                current = option if option in multi_value_options else None
            elif current and repeated[-1] != current:
                repeated.append(current)
            repeated.append(word)
        return super().parse_args(ctx, repeated)


def expand_dataclasses(**completions: Callable[[], list[str]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace each parameter that is a dataclass by one option per field.

    The metadata of a field may contain "help", "metavar", "choices", and the bounds "lowest" and "highest".

    Args:
        completions: functions that return the values that a shell completes, by field.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        parameters: list[inspect.Parameter] = []
        dataclasses: dict[str, Any] = {}
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            if is_dataclass(parameter.annotation):
                dataclasses[parameter.name] = parameter.annotation
                parameters += [_option(field, completions.get(field.name)) for field in fields(parameter.annotation)]
            else:
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        @wraps(function)
        def command(**values: Any) -> Any:
            for name, dataclass in dataclasses.items():
                values[name] = dataclass(**{field.name: values.pop(field.name) for field in fields(dataclass)})
            return function(**values)

        command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportAttributeAccessIssue]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return decorate


def _option(field: "Field[Any]", completion: Callable[[], list[str]] | None) -> inspect.Parameter:
    metadata, annotation = field.metadata, field.type
    if "choices" in metadata:
        annotation = Literal[tuple(metadata["choices"])]
    bounds = f", from {metadata['lowest']:g} to {metadata['highest']:g}" if "lowest" in metadata else ""
    flag = [f"--{field.name.replace('_', '-')}"] if annotation is bool else []  # without it, Typer adds --no-NAME
    option = typer.Option(
        *flag,
        help=f"{metadata['help'].rstrip('.')}{bounds}.",
        metavar=metadata.get("metavar"),
        autocompletion=completion,
    )
    default = inspect.Parameter.empty
    if field.default is not MISSING:
        default = field.default
    elif field.default_factory is not MISSING:
        default = field.default_factory()
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, option]
    )
