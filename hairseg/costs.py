"""Pictures that would take minutes to open although they have few pixels: told by their bytes, before Pillow."""

import mmap
import re
import struct
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

MOST_SCANS = 50  # of a JPEG: a progressive one has about ten, and each goes over all pixels

# Bytes of a GIF before its first picture. Those of comments count more: Pillow puts them together block by block.
MOST_EXTENSIONS, COMMENT = 1_000_000, 10

MOST_VALUES = 200_000  # of a TIFF's tag, such as the places of its strips: Pillow reads them one by one

MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # of a JPEG; those that it leaves out have no length
SCAN, END = b"\xda", b"\xd9"


def hidden_cost(file: str | Path | BinaryIO) -> str | None:
    """What makes a picture take long to open, a clause; None for any other and for what is no picture.

    Args:
        file: a path, or a binary file, whose position stays.

    Raises:
        OSError: it cannot be read.

    Example:
        >>> import io
        >>> hidden_cost(io.BytesIO(b"\\xff\\xd8" + 1000 * b"\\xff\\xda\\0\\2"))
        'has 1000 scans'
    """
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            return hidden_cost(opened)
    start = file.tell()
    try:
        head = file.read(4)
        file.seek(start)
        if head.startswith(b"\xff\xd8\xff"):
            scans = _jpeg_scans(file)
            return f"has {scans} scans" if scans > MOST_SCANS else None
        if head.startswith(b"GIF8"):
            too_much = any(total > MOST_EXTENSIONS for total in accumulate(_gif_extensions(file)))
            return "has too much before its first picture" if too_much else None
        if head[:2] in (b"II", b"MM"):
            values = max(_tiff_values(file), default=0)
            return f"has a tag of {values} values" if values > MOST_VALUES else None
        return None
    except struct.error:  # cut off, as Pillow will say
        return None
    finally:
        file.seek(start)


def _jpeg_scans(file: BinaryIO) -> int:
    """How many scans the first picture has (ITU-T T.81, annex B): a phone may have put others, or a film, behind it."""
    start = file.tell()
    try:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # no file of the system's, or an empty one
        content, start = file.read(), 0
    scans, place = 0, start + 2
    while (marker := MARKER.search(content, place)) and marker[1] != END:
        scans += marker[1] == SCAN
        place = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2])
    return scans


def _gif_extensions(file: BinaryIO) -> Iterator[int]:
    """Bytes of the extensions before the first picture, as they count (GIF89a, appendix A)."""
    flags = struct.unpack("<10xB2x", file.read(13))[0]
    file.seek(3 << (flags & 7) + 1 if flags & 0x80 else 0, 1)  # the colours
    while (block := file.read(1)) not in (b"", b",", b";"):
        if block != b"!":  # nothing, which Pillow steps over
            yield 1
            continue
        weight = COMMENT if file.read(1) == b"\xfe" else 1
        yield 3 * weight
        while size := int.from_bytes(file.read(1)):
            yield (size + 1) * weight
            file.seek(size, 1)


def _tiff_values(file: BinaryIO) -> Iterator[int]:
    """How many values the tags of the first picture have, but for texts and single bytes (TIFF 6.0, section 2)."""
    order = "<" if file.read(2) == b"II" else ">"
    if struct.unpack(f"{order}H", file.read(2))[0] == 43:  # BigTIFF
        begins, entries, entry = f"{order}4xQ", f"{order}Q", f"{order}2xHQ8x"
    else:
        begins, entries, entry = f"{order}I", f"{order}H", f"{order}2xHI4x"
    start = file.tell() - 4

    def read(format: str) -> tuple:
        return struct.unpack(format, file.read(struct.calcsize(format)))

    file.seek(start + read(begins)[0])
    for _ in range(min(read(entries)[0], 1 << 16)):
        kind, values = read(entry)
        if kind not in (1, 2, 6, 7):
            yield values
