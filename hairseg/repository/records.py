"""Base of the typed records in config.json and metrics.json."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from hairseg.errors import InputError, quote

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
    "frames": "samples",
}


def sanitise(name: str) -> str:
    """Remove control characters and markup, so that a stranger's name is safe on a terminal and on a page."""
    return "".join(letter for letter in name if letter.isprintable() and letter not in MARKUP)[:MAX_NAME_LENGTH]


T = TypeVar("T")

Name = Annotated[str, AfterValidator(sanitise)]
ByName = Annotated[dict[Name, T], Field(max_length=MAX_ENTRIES)]
Count = Annotated[int, Field(strict=True, ge=0, lt=10**9)]
Number = Annotated[float, Field(strict=True)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]


class Record(BaseModel):
    """A part of a JSON file with typed fields. Keys of older versions are accepted, unknown ones are ignored."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fields that were given, as `json.dump` takes them."""
        return self.model_dump(mode="json", exclude_unset=True)

    @model_validator(mode="before")
    @classmethod
    def _rename_keys(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        return {RENAMED_KEYS.get(key, key): value for key, value in content.items()}


def describe(error: ValidationError, name: str) -> InputError:
    """Describe the first malformed setting of a file.

    Args:
        error: what pydantic raised.
        name: of the file.
    """
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return InputError(f"{name}: {cause.problem}", remedy=cause.remedy)
    setting = ".".join(map(str, first["loc"]))
    place = f" at {quote(setting)}" if setting else ""
    return InputError(f"{name} is malformed{place}.", remedy=f"{first['msg']}.")
