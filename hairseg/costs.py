"""Pictures that would take minutes to open although they have few pixels: told by their bytes, before Pillow."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MOST_SCANS = 50  # of a JPEG: a progressive one has about ten, and each goes over all pixels

SCAN = b"\xff\xda"  # its beginning; within a scan 0xff is followed by 0 or by the number of a restart

MOST_EXTENSIONS = 100_000  # bytes of a GIF before its first picture, which Pillow puts together block by block

MOST_VALUES = 200_000  # of a TIFF's tag, such as the places of its strips: Pillow reads them one by one

CHUNK = 1 << 20


def hidden_cost(file: str | Path | BinaryIO) -> str | None:
    """What makes a picture take long to open, a clause; None for any other and for what is no picture.

    Args:
        file: a path, or a binary file, whose position stays.

    Raises:
        OSError: it cannot be read.

    Example:
        >>> import io
        >>> hidden_cost(io.BytesIO(b"\\xff\\xd8\\xff" + 1000 * SCAN))
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
            scans = _count(file, SCAN)
            return f"has {scans} scans" if scans > MOST_SCANS else None
        if head.startswith(b"GIF8"):
            extensions = sum(_gif_extensions(file))
            return f"has {extensions} bytes before its first picture" if extensions > MOST_EXTENSIONS else None
        if head[:2] in (b"II", b"MM"):
            values = max(_tiff_values(file), default=0)
            return f"has a tag of {values} values" if values > MOST_VALUES else None
        return None
    except struct.error:  # cut off, as Pillow will say
        return None
    finally:
        file.seek(start)


def _count(file: BinaryIO, marker: bytes) -> int:
    count, last = 0, b""
    while chunk := file.read(CHUNK):
        count += (last + chunk).count(marker)
        last = chunk[-1:]
    return count


def _gif_extensions(file: BinaryIO) -> Iterator[int]:
    """Bytes of each block of the extensions before the first picture (GIF89a, appendix A)."""
    flags = struct.unpack("<10xB2x", file.read(13))[0]
    file.seek(3 << (flags & 7) + 1 if flags & 0x80 else 0, 1)  # the colours
    while file.read(1) == b"!":
        yield 3
        file.seek(1, 1)  # what it is for
        while size := int.from_bytes(file.read(1)):
            yield size + 1
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
