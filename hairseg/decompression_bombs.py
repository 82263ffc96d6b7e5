"""Detection of small pictures that take minutes to open, from their bytes, before Pillow parses them."""

import mmap
import re
import struct
from collections.abc import Iterator
from itertools import accumulate
from typing import BinaryIO

MAX_JPEG_SCANS = 50  # a progressive JPEG has about ten, and each is decoded over all pixels

MAX_JPEG_SEGMENTS = 2000  # 16 MB of metadata take about 250

# Twice the capacity of a JPEG segment. EXIF tags may all refer to the same bytes, and Pillow copies them for each tag.
MAX_EXIF_BYTES = 1 << 17

# Bytes before the first frame of a GIF. Those of comments are weighted, since Pillow concatenates them block by block.
MAX_GIF_EXTENSION_BYTES, GIF_COMMENT_WEIGHT = 1_000_000, 10

MAX_TIFF_VALUES = 200_000  # of a tag such as the offsets of strips; Pillow parses them one by one

MAX_TIFF_TAGS = 10_000  # the TIFF standard defines about a hundred

# Bytes per value, by type (TIFF 6.0, section 2; BigTIFF).
TIFF_TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
# Types whose values Pillow reads as one block.
TIFF_BLOCK_TYPES = (1, 2, 7)

JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # a marker followed by a length, or the end marker
JPEG_START_OF_SCAN, JPEG_END = b"\xda", b"\xd9"


def find_decompression_bomb(file: BinaryIO) -> str | None:
    r"""Return why a picture would take long to open, as the rest of a sentence; None for any other file.

    Args:
        file: a binary file, whose position is restored.

    Raises:
        OSError: the file cannot be read.

    Example:
        >>> import io
        >>> find_decompression_bomb(io.BytesIO(b"\xff\xd8" + 1000 * b"\xff\xda\0\2"))
        'has 1000 scans'
    """
    start = file.tell()
    try:
        head = file.read(4)
        file.seek(start)
        if head.startswith(b"\xff\xd8\xff"):
            return _check_jpeg(file)
        if head.startswith(b"GIF8"):
            is_bomb = any(total > MAX_GIF_EXTENSION_BYTES for total in accumulate(_gif_extension_bytes(file)))
            return f"has more than {MAX_GIF_EXTENSION_BYTES} bytes before its first picture" if is_bomb else None
        if head[:2] in (b"II", b"MM"):
            return _check_tiff(file)
        if head.startswith(b"BM"):
            header_bytes, compression = struct.unpack("<14xI12xI", file.read(34))
            if header_bytes >= 40 and compression in (1, 2):  # runs may have any length
                return "is a run-length encoded BMP"
        return None
    except struct.error:  # truncated: Pillow will raise an error
        return None
    finally:
        file.seek(start)


def _check_jpeg(file: BinaryIO) -> str | None:
    """Count segments and scans of the first picture (ITU-T T.81, annex B); phones append videos to it."""
    start = file.tell()
    try:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # not a file on disk, or empty
        content, start = file.read(), 0
    scans, segments, exif_bytes, position = 0, 0, 0, start + 2
    while (marker := JPEG_MARKER.search(content, position)) and marker[1] != JPEG_END:
        scans += marker[1] == JPEG_START_OF_SCAN
        segments += 1
        if segments > MAX_JPEG_SEGMENTS:
            return f"has more than {MAX_JPEG_SEGMENTS} segments"
        length = int.from_bytes(content[marker.end() : marker.end() + 2])
        exif_bytes += length if content[marker.end() + 2 : marker.end() + 6] == b"Exif" else 0
        position = marker.end() + length
    if exif_bytes > MAX_EXIF_BYTES:
        return f"has {exif_bytes} bytes of EXIF data"
    return f"has {scans} scans" if scans > MAX_JPEG_SCANS else None


def _gif_extension_bytes(file: BinaryIO) -> Iterator[int]:
    """Yield the weighted sizes of the blocks before the first frame (GIF89a, appendix A)."""
    flags = struct.unpack("<10xB2x", file.read(13))[0]
    colour_table_bytes = 3 << (flags & 7) + 1 if flags & 0x80 else 0
    file.seek(colour_table_bytes, 1)
    while (block := file.read(1)) not in (b"", b",", b";"):
        if block != b"!":  # Pillow skips bytes that start no block
            yield 1
            continue
        weight = GIF_COMMENT_WEIGHT if file.read(1) == b"\xfe" else 1
        yield 3 * weight
        while size := int.from_bytes(file.read(1)):
            yield (size + 1) * weight
            file.seek(size, 1)


def _check_tiff(file: BinaryIO) -> str | None:
    """Count the first picture's tags, their values and their bytes, which Pillow copies even if tags share them."""
    start = file.tell()
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    if head[2:3] == b"+":  # BigTIFF
        offset_format, count_format, entry_format = f"{order}8xQ", f"{order}Q", f"{order}2xHQ8x"
    else:
        offset_format, count_format, entry_format = f"{order}4xI", f"{order}H", f"{order}2xHI4x"
    file.seek(start + struct.unpack_from(offset_format, head)[0])
    tags = struct.unpack(count_format, file.read(struct.calcsize(count_format)))[0]
    if tags > MAX_TIFF_TAGS:
        return f"has {tags} tags"
    entry_bytes = struct.calcsize(entry_format)
    table = file.read(tags * entry_bytes)
    entries = list(struct.iter_unpack(entry_format, table[: len(table) // entry_bytes * entry_bytes]))
    values = max((count for type_, count in entries if type_ not in TIFF_BLOCK_TYPES), default=0)
    if values > MAX_TIFF_VALUES:
        return f"has a tag of {values} values"
    file_bytes = file.seek(0, 2)
    if sum(TIFF_TYPE_BYTES.get(type_, 0) * count for type_, count in entries) > file_bytes:
        return "has tags larger than the file"
    return None
