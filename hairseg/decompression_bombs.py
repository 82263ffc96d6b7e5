"""Pictures that would take minutes to open although they have few pixels: told by their bytes, before Pillow."""

import mmap
import re
import struct
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

MOST_SCANS = 50  # of a JPEG: a progressive one has about ten, and each goes over all pixels

MOST_SEGMENTS = 2000  # of a JPEG: metadata of 16 MB have some 250

# Bytes of EXIF data, twice what a JPEG's segment has room for: their tags may all be of the same bytes, each its copy.
LARGEST_EXIF = 1 << 17

# Bytes of a GIF before its first picture. Those of comments count more: Pillow puts them together block by block.
MOST_EXTENSIONS, COMMENT = 1_000_000, 10

MOST_VALUES = 200_000  # of a TIFF's tag, such as the places of its strips: Pillow reads them one by one

MOST_TAGS = 10_000  # of a TIFF; its own standard knows about a hundred

# Bytes of a value of a TIFF's tag by its kind, and the kinds that are read in one go (TIFF 6.0, section 2).
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
IN_ONE_GO = (1, 2, 7)

MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # of a JPEG; those that it leaves out have no length
SCAN, END = b"\xda", b"\xd9"


def find_decompression_bomb(file: str | Path | BinaryIO) -> str | None:
    """What makes a picture take long to open, a clause; None for any other and for what is no picture.

    Args:
        file: a path, or a binary file, whose position stays.

    Raises:
        OSError: it cannot be read.

    Example:
        >>> import io
        >>> find_decompression_bomb(io.BytesIO(b"\\xff\\xd8" + 1000 * b"\\xff\\xda\\0\\2"))
        'has 1000 scans'
    """
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            return find_decompression_bomb(opened)
    start = file.tell()
    try:
        head = file.read(4)
        file.seek(start)
        if head.startswith(b"\xff\xd8\xff"):
            return _of_jpeg(file)
        if head.startswith(b"GIF8"):
            too_much = any(total > MOST_EXTENSIONS for total in accumulate(_gif_extensions(file)))
            return "has too much before its first picture" if too_much else None
        if head[:2] in (b"II", b"MM"):
            return _of_tiff(file)
        if head.startswith(b"BM"):
            header, compression = struct.unpack("<14xI12xI", file.read(34))
            is_runs = header >= 40 and compression in (1, 2)  # a few bytes each, of any length
            return "is compressed" if is_runs else None
        return None
    except struct.error:  # cut off, as Pillow will say
        return None
    finally:
        file.seek(start)


def _of_jpeg(file: BinaryIO) -> str | None:
    """Counts segments and scans of the first picture (ITU-T T.81, annex B): a phone may have put a film behind it."""
    start = file.tell()
    try:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # no file of the system's, or an empty one
        content, start = file.read(), 0
    scans, segments, exif, place = 0, 0, 0, start + 2
    while (marker := MARKER.search(content, place)) and marker[1] != END:
        scans += marker[1] == SCAN
        segments += 1
        if segments > MOST_SEGMENTS:
            return f"has more than {MOST_SEGMENTS} segments"
        length = int.from_bytes(content[marker.end() : marker.end() + 2])
        exif += length if content[marker.end() + 2 : marker.end() + 6] == b"Exif" else 0
        place = marker.end() + length
    if exif > LARGEST_EXIF:
        return f"has {exif} bytes of EXIF data"
    return f"has {scans} scans" if scans > MOST_SCANS else None


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


def _of_tiff(file: BinaryIO) -> str | None:
    """Counts the tags of the first picture, their values and bytes, which Pillow copies from wherever they are."""
    start = file.tell()
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    if head[2:3] == b"+":  # BigTIFF
        begins, entries, entry = f"{order}8xQ", f"{order}Q", f"{order}2xHQ8x"
    else:
        begins, entries, entry = f"{order}4xI", f"{order}H", f"{order}2xHI4x"
    file.seek(start + struct.unpack_from(begins, head)[0])
    tags = struct.unpack(entries, file.read(struct.calcsize(entries)))[0]
    if tags > MOST_TAGS:
        return f"has {tags} tags"
    size = struct.calcsize(entry)
    listed = file.read(tags * size)
    kinds = list(struct.iter_unpack(entry, listed[: len(listed) // size * size]))
    values = max((number for kind, number in kinds if kind not in IN_ONE_GO), default=0)
    if values > MOST_VALUES:
        return f"has a tag of {values} values"
    file.seek(0, 2)
    if sum(SIZES.get(kind, 0) * number for kind, number in kinds) > file.tell():
        return "has more in its tags than there is"
    return None
