"""What the fuzzing tests share: values of any kind, mutations of files, and what an answer to them must be."""

import struct
from collections.abc import Callable

from hypothesis import strategies as st

from hairseg.errors import InputError

LONGEST_SENTENCE = 700  # characters, of a message that may name a path, a type and what was expected

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
    """What the call was refused with; None when it went well."""
    try:
        call()
    except InputError as error:
        message = str(error)
        message.encode()  # can be printed
        assert "\n" not in message and "Traceback" not in message and len(message) < LONGEST_SENTENCE, message
        return message
    return None


TELLING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@st.composite
def mutated(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """One of the files, with bytes replaced, removed, repeated or taken from another; most changes are in its head."""
    content = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 4))):
        longest = max(0, len(content) - 1)
        start = draw(st.integers(0, min(200, longest)) | st.integers(0, longest))
        length = draw(st.integers(1, 64))
        match draw(st.sampled_from(["bytes", "number", "remove", "repeat", "splice", "cut"])):
            case "bytes":
                content[start : start + length] = draw(st.binary(min_size=1, max_size=8))
            case "number":
                number, order = draw(st.sampled_from(TELLING)), draw(st.sampled_from(["<I", ">I"]))
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
