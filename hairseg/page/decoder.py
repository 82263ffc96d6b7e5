"""Decode visitors' photos in subprocesses with bounded memory and processor time.

A file that crashes a decoder, or makes it allocate gigabytes or run for minutes, ends that subprocess only. The visitor
gets an error message, and the page goes on serving.

Requests and replies are JSON and raw bytes over pipes. `multiprocessing`, `concurrent.futures` and their like pickle
what passes between processes: a subprocess taken over by a malicious file could then run code in the page by what it
sends back. JSON and a byte array cannot contain code.
"""

import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from queue import LifoQueue
from threading import Timer
from typing import Any

import numpy as np

from hairseg.errors import InputError
from hairseg.images import count_pixels, load_photo
from hairseg.memory import return_large_arrays_to_system, trim_memory

GIB = 1 << 30

PIPE_BYTES = 1 << 20  # capacity of a pipe; with the default of 64 KiB a photo takes 50 reads

ONE_PIXEL = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1\0\0;"  # for `Decoder.answers`

LARGE_PHOTO_BYTES = 8 << 20  # after a photo of this size, freed memory is returned to the system

SECRET_NAMES = re.compile("TOKEN|AUTH|SECRET|PASSWORD|KEY")  # environment variables withheld from the subprocesses

WALL_CLOCK_FACTOR = 10  # a subprocess is killed after this multiple of its processor time


class Decoder:
    """A pool of subprocesses that run `load_photo`, started on demand.

    Args:
        processes: Maximum number of subprocesses. A call blocks while all are busy.
        nice: Niceness added to the subprocesses, 0 to 19.
        max_bytes: Address space per subprocess. A 16-bit photo of 120 megapixels takes about 3.5 GiB.
        max_seconds: Processor time per photo.

    Example:
        >>> from hairseg.images import encode_png
        >>> Decoder().load(encode_png(np.zeros((3, 4, 3), np.uint8))).shape
        (3, 4, 3)
    """

    def __init__(self, processes: int = 1, nice: int = 0, max_bytes: int = 4 * GIB, max_seconds: int = 15):
        self._limits, self._max_seconds = (nice, max_bytes, max_seconds), max_seconds
        self._idle: LifoQueue[subprocess.Popen[bytes] | None] = LifoQueue()
        for _ in range(processes):
            self._idle.put(None)

    def load(self, source: str | Path | bytes, name: str | None = None, longer_side: int | None = None) -> np.ndarray:
        """Decode a picture to an upright photo, as `hairseg.images.load_photo` does.

        Args:
            source: A file or its content.
            name: What messages call the picture; by default the name of the file.
            longer_side: Side in pixels down to which a JPEG may be decoded; None for full resolution.

        Returns:
            uint8 RGB, (height, width, 3).

        Raises:
            InputError: As `load_photo`, or decoding exceeds the limit of memory or time.
        """
        reply, photo = self._request(source, name, {"name": name, "longer_side": longer_side})
        return photo.reshape(reply["shape"])

    def count_pixels(self, source: str | Path | bytes) -> int:
        """Return the number of pixels according to the header, or 0 if it cannot be read."""
        with suppress(InputError):
            return self._request(source, None, {"count_pixels": True})[0]["pixels"]
        return 0

    def answers(self) -> bool:
        """Return whether a subprocess reads the size of a picture of one pixel.

        True without a check while all are busy, since each of them is killed if it takes too long.
        """
        with suppress(OSError):  # no more subprocesses can be started
            return self._idle.empty() or self.count_pixels(ONE_PIXEL) == 1
        return False

    def start(self) -> None:
        """Start one subprocess before the first photo needs it."""
        with self._process():
            pass

    def _request(
        self, source: str | Path | bytes, name: str | None, request: dict[str, Any]
    ) -> tuple[dict[str, Any], np.ndarray]:
        content = source if isinstance(source, bytes) else b""
        if not isinstance(source, bytes):
            name = name or Path(source).name
            request = {**request, "path": os.path.abspath(source)}
        with self._process() as process, _kill_after(max(1, WALL_CLOCK_FACTOR * self._max_seconds), process):
            try:
                _send(process.stdin, request, content)
                reply, photo = _receive(process.stdout)
            except (OSError, EOFError):
                raise InputError(
                    f"{name or 'The picture':.120} takes too much time or memory to decode.",
                    remedy="Save it as JPEG and try again.",
                ) from None
        if "error" in reply:
            raise InputError(reply["error"])
        return reply, photo

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        """Borrow an idle or new subprocess. It is killed if the block raises."""
        process, is_usable = self._idle.get(), False
        try:
            if process is None or process.poll() is not None:
                process = _start_process(*self._limits)
            yield process
            is_usable = True
        finally:
            if process and not is_usable:
                process.kill()
                process.communicate()
            self._idle.put(process if is_usable else None)


def _start_process(*limits: int) -> subprocess.Popen[bytes]:
    root, python_path = Path(__file__).parents[2], os.environ.get("PYTHONPATH")
    inherited = {name: value for name, value in os.environ.items() if not SECRET_NAMES.search(name.upper())}
    added = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), python_path])),
        "OPENBLAS_NUM_THREADS": "1",  # each of its threads reserves 90 MB of address space
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, *map(str, limits)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=inherited | added,
        start_new_session=True,  # Ctrl-C goes to the page only; the subprocess ends with its standard input
    )


@contextmanager
def _kill_after(seconds: float, process: subprocess.Popen[bytes]) -> Iterator[None]:
    timer = Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# ---- messages: two little-endian uint32 lengths, a JSON object, raw bytes ----


def _send(pipe: Any, head: dict[str, Any], content: bytes | memoryview = b"") -> None:
    text = json.dumps(head).encode()
    for part in (struct.pack("<II", len(text), len(content)), text, content):
        unsent = memoryview(part)
        while unsent:
            unsent = unsent[pipe.write(unsent) :]


def _receive(pipe: Any) -> tuple[dict[str, Any], np.ndarray]:
    head_bytes, content_bytes = struct.unpack("<II", _read(pipe, 8).tobytes())
    return json.loads(_read(pipe, head_bytes).tobytes()), _read(pipe, content_bytes)


def _read(pipe: Any, size: int) -> np.ndarray:
    """Read exactly `size` bytes as uint8. Raises EOFError if the pipe ends first."""
    content = np.empty(size, np.uint8)
    missing = content.data
    while missing:
        count = pipe.readinto(missing)
        if not count:
            raise EOFError
        missing = missing[count:]
    return content


# ---- inside the subprocess ----


def _serve(nice: int, max_bytes: int, max_seconds: int) -> None:
    """Answer requests on standard input until it ends. The output of decoder libraries is discarded."""
    requests, replies = (open(os.dup(number), mode, 0) for number, mode in ((0, "rb"), (1, "wb")))  # noqa: SIM115
    with open(os.devnull, "wb") as nowhere:
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
    return_large_arrays_to_system()
    with suppress(OSError, AttributeError):
        os.nice(nice)
    with suppress(OSError):  # the kernel kills this process, not the page, when memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ImportError, OSError, AttributeError):
        import fcntl

        fcntl.fcntl(replies, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with suppress(EOFError):
        while True:
            _answer(requests, replies, max_bytes, max_seconds)


def _answer(requests: Any, replies: Any, max_bytes: int, max_seconds: int) -> None:
    """Decode one photo. Its arrays are local, so that they are freed before the next request."""
    request, content = _receive(requests)
    _set_limits(max_bytes, max_seconds)
    source, photo = request.get("path") or BytesIO(content.tobytes()), b""
    try:
        if request.get("count_pixels"):
            reply = {"pixels": count_pixels(source)}
        else:
            array = load_photo(source, request["name"], request["longer_side"])
            reply, photo = {"shape": array.shape}, np.ascontiguousarray(array).data.cast("B")
    except InputError as error:
        reply = {"error": str(error)}
    _send(replies, reply, photo)
    if len(photo) > LARGE_PHOTO_BYTES:
        trim_memory()


def _set_limits(max_bytes: int, max_seconds: int) -> None:
    """Limit this process: SIGXCPU ends it after `max_seconds` from now, allocations above `max_bytes` fail."""
    with suppress(ImportError):  # Windows
        import resource

        for resource_limit, value in (
            (resource.RLIMIT_CORE, 0),  # a core dump would contain the photo
            (resource.RLIMIT_CPU, int(time.process_time()) + 1 + max_seconds),
            (resource.RLIMIT_AS, max_bytes),
        ):
            with suppress(OSError, ValueError):  # a container may have lower limits
                resource.setrlimit(resource_limit, (value, resource.getrlimit(resource_limit)[1]))


REGULAR = Decoder(2)

HUGE = Decoder(1, nice=19, max_seconds=30)

FRAMES = Decoder(1, nice=10, max_seconds=2)

if __name__ == "__main__":
    _serve(*map(int, sys.argv[1:]))
