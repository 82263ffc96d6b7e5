"""Base of the typed records in config.json and metrics.json: strict when built, lenient when read from a file."""

from itertools import islice
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from hairseg.errors import InputError, quote

LENIENT = "lenient"

MAX_NAME_LENGTH = 80

MAX_ENTRIES = 1000

MARKUP = frozenset("<>[]|`&\\")

RENAMED_KEYS = {  # old keys of versions 0.1 to 0.10
    "own_size": "full_resolution",
    "small_share": "low_res_fraction",
    "early_share": "low_res_fraction",
    "closing_share": "final_phase_fraction",
    "final_share": "final_phase_fraction",
    "closing": "final_augmentation",
    "start_share": "init_blend",
    "served_share": "serve_scale",
    "averaging": "ema_decay",
}


def _sanitise(name: str) -> str:
    """Remove control characters and markup, so that a stranger's name is safe on a terminal and on a page."""
    return "".join(letter for letter in name if letter.isprintable() and letter not in MARKUP)[:MAX_NAME_LENGTH]


T = TypeVar("T")

Name = Annotated[str, AfterValidator(_sanitise)]
ByName = Annotated[dict[Name, T], Field(max_length=MAX_ENTRIES)]
Count = Annotated[int, Field(strict=True, gt=0, lt=10**9)]
Number = Annotated[float, Field(strict=True)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]


class Record(BaseModel):
    """A part of a JSON file with typed fields, all of which may be missing.

    Building a record checks every field. `from_json` accepts the keys of older versions, and ignores unknown ones.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Read JSON that a stranger may have written. Malformed fields and entries are left out.

        Args:
            content: as `json.load` returns it.
        """
        return cls.model_validate(content if isinstance(content, dict) else {}, context=LENIENT)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields that were given, as `json.dump` takes them."""
        return self.model_dump(mode="json", exclude_unset=True)

    @model_validator(mode="before")
    @classmethod
    def _rename_keys(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        return {RENAMED_KEYS.get(key, key): value for key, value in content.items()}

    @field_validator("*", mode="wrap")
    @classmethod
    def _replace_malformed(cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return validate(value)
        except ValidationError:
            if info.context != LENIENT or info.field_name is None:
                raise
        first = islice(value.items(), MAX_ENTRIES) if isinstance(value, dict) else ()
        entries = {key: entry for key, entry in first if _is_valid(validate, {key: entry})}
        default = cls.model_fields[info.field_name].get_default(call_default_factory=True)
        return validate(entries) if entries else default


def _is_valid(validate: ValidatorFunctionWrapHandler, value: object) -> bool:
    try:
        validate(value)
    except ValidationError:
        return False
    return True


def describe(error: ValidationError, name: str) -> InputError:
    """Describe the first malformed setting of a file.

    Args:
        error: what pydantic raised.
        name: of the file.
    """
    first = error.errors(include_url=False)[0]
    setting = ".".join(map(str, first["loc"]))
    problems = {
        "missing": f"{name} lacks the setting {setting!r}.",
        "unexpected_keyword_argument": f"{name} has the unknown setting {quote(setting)}.",
    }
    if first["type"] in problems:
        return InputError(problems[first["type"]], remedy="Restore the file that train.py wrote.")
    return InputError(f"{name} has the {setting} {quote(first['input'])}.", remedy=f"{first['msg']}.")
