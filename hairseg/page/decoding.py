"""Strangers' photos are opened in processes of their own, which may take so much memory and time and no more.

Whatever a file makes a decoder do, a crash, gigabytes, minutes: it ends with that process. The visitor gets a sentence,
and the page goes on for everybody.
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

PIPE_BYTES = 1 << 20  # that may wait in a pipe: with Linux's own 64 KiB a photo takes 50 turns

LARGE_PHOTO = 8 << 20  # bytes, after which memory is worth giving back

SECRET = re.compile("TOKEN|AUTH|SECRET|PASSWORD|KEY")  # in names of environment variables

WAIT = 10  # times its processor time that a process may take by the wall clock, before it is given up


class Decoder:
    """Opens photos as `load_photo` does, in processes that are started when they are first needed.

    Args:
        processes: how many at most. Whoever finds all of them at work waits.
        nice: what is added to their priority number: 19 leaves them the time that nobody else wants.
        memory: bytes of address space that each may take. A photo of 120 megapixels and 16 bits takes some 3.5 GiB.
        seconds: of processor time that each may take for a photo.

    Example:
        >>> from hairseg.images import encode_png
        >>> Decoder().load(encode_png(np.zeros((3, 4, 3), np.uint8))).shape
        (3, 4, 3)
    """

    def __init__(self, processes: int = 1, nice: int = 0, memory: int = 4 * GIB, seconds: int = 15):
        self._limits, self._seconds = (nice, memory, seconds), seconds
        self._idle: LifoQueue[subprocess.Popen | None] = LifoQueue()
        for _ in range(processes):
            self._idle.put(None)

    def load(self, source: str | Path | bytes, name: str | None = None, longer_side: int | None = None) -> np.ndarray:
        """A picture as an upright photo, uint8 RGB (height, width, 3): see `hairseg.images.load_photo`.

        Raises:
            InputError: as there, or the picture takes more than a process may.
        """
        reply, photo = self._ask(source, name, {"name": name, "longer_side": longer_side})
        return photo.reshape(reply["shape"])

    def pixels(self, source: str | Path | bytes) -> int:
        """How many pixels a picture has, as its header says; 0 if that cannot be read."""
        with suppress(InputError):
            return self._ask(source, None, {"counted": True})[0]["pixels"]
        return 0

    def start(self) -> None:
        """Start a process ahead of the first photo: it takes a part of a second."""
        with self._process():
            pass

    def _ask(self, source: str | Path | bytes, name: str | None, request: dict) -> tuple[dict, np.ndarray]:
        sent = source if isinstance(source, bytes) else b""
        if not isinstance(source, bytes):
            name = name or Path(source).name
            request = {**request, "path": os.path.abspath(source)}
        with self._process() as process, _given_up_after(max(1, WAIT * self._seconds), process):
            try:
                _send(process.stdin, request, sent)
                reply, content = _receive(process.stdout)
            except (OSError, EOFError):
                raise InputError(
                    f"{name or 'the picture':.120} takes too much time or memory to read", "save it again as JPEG"
                ) from None
        if "error" in reply:
            raise InputError(*reply["error"])
        return reply, content

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen]:
        """One that is idle, or a new one. It is kept for the next photo, but where the block is left in the middle."""
        process, is_usable = self._idle.get(), False
        try:
            if process is None or process.poll() is not None:
                process = _started(*self._limits)
            yield process
            is_usable = True
        finally:
            if process and not is_usable:
                process.kill()
                process.communicate()
            self._idle.put(process if is_usable else None)


def _started(*limits: int) -> subprocess.Popen:
    package, others = Path(__file__).parents[2], os.environ.get("PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not SECRET.search(name.upper())}
    own = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(package), others])),
        "OPENBLAS_NUM_THREADS": "1",  # each of its threads, one a core, takes 90 MB of address space
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, *map(str, limits)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=kept | own,
        start_new_session=True,  # Ctrl-C is for the page: they end when it does, by the end of their input
    )


@contextmanager
def _given_up_after(seconds: float, process: subprocess.Popen) -> Iterator[None]:
    timer = Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


# ---- what goes through the pipes: two lengths, a request or a reply, as JSON, and the bytes that belong to it ----


def _send(pipe: Any, head: dict, content: bytes | memoryview = b"") -> None:
    text = json.dumps(head).encode()
    for part in (struct.pack("<II", len(text), len(content)), text, content):
        rest = memoryview(part)
        while rest:
            rest = rest[pipe.write(rest) :]


def _receive(pipe: Any) -> tuple[dict, np.ndarray]:
    length, size = struct.unpack("<II", _read(pipe, 8).tobytes())
    return json.loads(_read(pipe, length).tobytes()), _read(pipe, size)


def _read(pipe: Any, size: int) -> np.ndarray:
    """So many bytes, uint8. Raises EOFError where the pipe ends before."""
    content = np.empty(size, np.uint8)
    rest = content.data
    while rest:
        got = pipe.readinto(rest)
        if not got:
            raise EOFError
        rest = rest[got:]
    return content


# ---- in the process ----


def _serve(nice: int, memory: int, seconds: int) -> None:
    """Open what comes through standard input until that ends. What decoders print is of no use to anybody."""
    requests, replies = (open(os.dup(number), mode, 0) for number, mode in ((0, "rb"), (1, "wb")))
    with open(os.devnull, "wb") as nowhere:
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
    return_large_arrays_to_system()
    with suppress(OSError, AttributeError):
        os.nice(nice)
    with suppress(OSError):  # where memory runs out, Linux ends this process and not the page
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ImportError, OSError, AttributeError):
        import fcntl

        fcntl.fcntl(replies, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with suppress(EOFError):
        while True:
            _open_one(requests, replies, memory, seconds)


def _open_one(requests: Any, replies: Any, memory: int, seconds: int) -> None:
    """One photo, which nothing here refers to any more once it is sent."""
    request, content = _receive(requests)
    _limit(memory, seconds)
    source, photo = request.get("path") or BytesIO(content.tobytes()), b""
    try:
        if "counted" in request:
            reply = {"pixels": count_pixels(source)}
        else:
            array = load_photo(source, request["name"], request["longer_side"])
            reply, photo = {"shape": array.shape}, np.ascontiguousarray(array).data.cast("B")
    except InputError as error:
        reply = {"error": [error.problem, error.remedy]}
    _send(replies, reply, photo)
    if len(photo) > LARGE_PHOTO:
        trim_memory()


def _limit(memory: int, seconds: int) -> None:
    """From now on. The system ends a process that takes more time, and has no more memory for it."""
    with suppress(ImportError):  # Windows
        import resource

        for limited, most in (
            (resource.RLIMIT_CORE, 0),  # a crash leaves no file, which would hold the photo
            (resource.RLIMIT_CPU, int(time.process_time()) + 1 + seconds),
            (resource.RLIMIT_AS, memory),
        ):
            with suppress(OSError, ValueError):  # a container may have lower ones
                resource.setrlimit(limited, (most, resource.getrlimit(limited)[1]))


USUAL = Decoder(2)

HUGE = Decoder(1, nice=19, seconds=30)

LIVE = Decoder(1, nice=10, seconds=2)

if __name__ == "__main__":
    _serve(*map(int, sys.argv[1:]))
