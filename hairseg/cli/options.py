"""What Typer lacks: options that take several values, and options that come from the fields of a dataclass."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand


class MultiValueCommand(TyperCommand):
    """A command whose options with a metavar in "..." take several values: `--data A B` is `--data A --data B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        parameters = [parameter for parameter in self.get_params(ctx) if str(parameter.metavar).endswith("...")]
        multi_value_options = {option for parameter in parameters for option in parameter.opts}
        expanded, current = [], None
        for word in args:
            if word.startswith("-"):
                option = word.partition("=")[0]
                current = option if option in multi_value_options else None
            elif current and expanded[-1] != current:
                expanded.append(current)
            expanded.append(word)
        return super().parse_args(ctx, expanded)


def expand_dataclasses(**completions: Callable[[], list[str]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Replace each parameter that is a dataclass by an option for each of the dataclass's fields.

    Args:
        completions: functions that return the values of an option for shell completion, by field.

    A field's metadata may hold "help", "metavar", "choices", and the bounds "lowest" and "highest".
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
    flag = [f"--{field.name.replace('_', '-')}"] if annotation is bool else []  # otherwise Typer adds --no-NAME
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
