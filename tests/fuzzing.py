"""Strategies for JSON values and mutated files, and a check of error messages."""

import struct
from collections.abc import Callable

from hypothesis import strategies as st

from hairseg.errors import InputError

MAX_MESSAGE_LENGTH = 700  # characters; a message may contain a path and a long type

_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**400, 10**401)
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs", "Cc"]), min_size=1)
    | st.just("x" * 10_000)
)

json_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def refused_in_one_sentence(call: Callable[[], object]) -> str | None:
    """Return the message of an InputError, or None if the call succeeds."""
    try:
        call()
    except InputError as error:
        message = str(error)
        message.encode()  # lone surrogates cannot be printed
        assert "\n" not in message and "Traceback" not in message and len(message) < MAX_MESSAGE_LENGTH, message
        return message
    return None


BOUNDARY_VALUES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@st.composite
def mutated(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """Mutate one of the files: replace, remove or repeat bytes, mostly in the header, or splice two files."""
    content = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 4))):
        last = max(0, len(content) - 1)
        start = draw(st.integers(0, min(200, last)) | st.integers(0, last))
        length = draw(st.integers(1, 64))
        match draw(st.sampled_from(["bytes", "number", "remove", "repeat", "splice", "cut"])):
            case "bytes":
                content[start : start + length] = draw(st.binary(min_size=1, max_size=8))
            case "number":
                number, order = draw(st.sampled_from(BOUNDARY_VALUES)), draw(st.sampled_from(["<I", ">I"]))
                content[start : start + 4] = struct.pack(order, number)
            case "remove":
                del content[start : start + length]
            case "repeat":
                content[start:start] = content[start : start + length] * draw(st.integers(1, 50))
            case "splice":
                other = draw(st.sampled_from(files))
                content[start:] = other[draw(st.integers(0, len(other))) :]
            case "cut":
                del content[start:]
    return bytes(content)
