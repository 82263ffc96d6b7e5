"""Pushes to a Hub, pulls from it, and folders of photos, killed once they have begun and done again.

The Hub is the tests' stand-in, for the genuine client over HTTP on loopback. Half of the pulls are killed while a file
is on its way, after a number of its bytes that the seed draws; a third of the pushes as they hear that they are done.
"""

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from common import PORTRAIT, PROJECT
from killing import contents, duration, finish, half_written, kill, left_over, start

from hairseg.images import load_photo
from hairseg.inference.folder import write_picture
from hairseg.repository import BUNDLED

sys.path.insert(0, str(PROJECT / "tests"))
from hub.fake_hub import WRITER, FakeHub  # pyright: ignore[reportMissingImports]

WEIGHTS = "pretrained/model.safetensors"
PHOTOS = 8


@contextmanager
def stand_in(folder: Path) -> Iterator[FakeHub]:
    """A Hub for processes that are started from now on, and beside it a cache for them."""
    with FakeHub(folder / "hub") as hub:
        os.environ.update(HF_ENDPOINT=hub.url, HF_TOKEN=WRITER, HF_HOME=str(home_of(hub)), HF_HUB_DISABLE_XET="1")
        yield hub


def home_of(hub: FakeHub) -> Path:
    return hub.folder.with_name("home")


def push(hub: FakeHub, folder: Path, kills: int, rng: random.Random) -> dict:
    """After every kill the Hub has the old files or the new ones, and pushing again succeeds."""
    repo, source, old, new, strange, unequal = "ada/pushed", folder / "source", 0, 0, [], 0
    shutil.copytree(BUNDLED, source)

    def begin() -> BaseProcess:
        hub.requests.clear()
        return start(["-m", "hairseg", "hub", "push", str(source), repo])

    seconds = duration(begin(), has_begun(hub))
    while old + new + len(strange) < kills:
        before = hub.files(repo)
        weights = changed(before[WEIGHTS], rng)
        (source / WEIGHTS).write_bytes(weights)
        after = {**before, WEIGHTS: weights}
        if (old + new) % 3 == 2:
            hub.faults.add("stall", path="/commit/", at=1)
            killed = kill(begin(), hub_heard_of(hub, "/commit/"), 0.3)
            hub.faults.clear()
        else:
            killed = kill(begin(), has_begun(hub), rng.uniform(0, 1) * seconds)
        if not killed:
            continue  # it was done before
        there = hub.files(repo)
        old, new = old + (there == before), new + (there == after)
        if there not in (before, after):
            strange.append(sorted(name for name in there if there[name] != before.get(name)))
        finish(begin())
        unequal += hub.files(repo) != after
    tagged = hub.repo(repo).main in hub.repo(repo).tags.values()
    return {
        "kills": old + new + len(strange),
        "the_hub_had_the_old_files": old,
        "the_hub_had_the_new_files": new,
        "half_written": strange,
        "equal": {"after_pushing_again": not unequal, "last_commit_is_tagged": tagged},
        "left_over": left_over(source, home_of(hub)),
    }


def pull(hub: FakeHub, folder: Path, kills: int, rng: random.Random) -> dict:
    """After every kill the next pull gives the same bytes."""
    repo, output, done, within, broken, unequal, left = "ada/pulled", folder / "pulled", 0, 0, [], 0, []
    files = contents(BUNDLED)
    hub.put(repo, files)

    def begin() -> BaseProcess:
        hub.requests.clear()
        return start(["-m", "hairseg", "hub", "pull", repo, "--output", str(output)])

    seconds = duration(begin(), has_begun(hub))
    shutil.rmtree(output)
    while done < kills:
        files[WEIGHTS] = changed(files[WEIGHTS], rng)
        hub.put(repo, {WEIGHTS: files[WEIGHTS]})
        if done % 2:
            hub.faults.add("stall", path="signature", at=rng.randrange(1, len(files[WEIGHTS])))
            killed = kill(begin(), hub_heard_of(hub, "signature"), 0.3)
            within += killed
        else:
            killed = kill(begin(), has_begun(hub), rng.uniform(0, 1) * seconds)
        hub.faults.clear()
        if killed:
            done += 1
            broken += half_written(folder) + half_written(home_of(hub))
            if not output.exists():
                finish(begin())
        unequal += contents(output) != files
        left += left_over(folder, home_of(hub))
        shutil.rmtree(output)
    return {
        "kills": done,
        "while_a_file_was_on_its_way": within,
        "half_written": broken,
        "equal": {"after_pulling_again": not unequal},
        "left_over": left,
    }


def has_begun(hub: FakeHub) -> Callable[[], bool]:
    return hub_heard_of(hub, "")


def hub_heard_of(hub: FakeHub, path: str) -> Callable[[], bool]:
    return lambda: any(path in request for request in hub.requests)


def photos(folder: Path, kills: int, rng: random.Random) -> dict:
    """After every kill --skip-existing does the rest, and the results are those of a run that was not killed."""
    for index in range(PHOTOS):
        write_picture(folder / "photos" / f"{index}.png", load_photo(PORTRAIT)[8 * index :, 8 * index :])
    killed, found, broken, unequal, left = folder / "killed", [], [], 0, []

    def begin(output: Path) -> BaseProcess:
        words = ["-m", "hairseg", str(folder / "photos"), "--output", str(output)]
        return start([*words, "--colour", "copper", "--skip-existing"])

    seconds = duration(begin(folder / "whole"), (folder / "whole").exists)
    whole = contents(folder / "whole")
    while len(found) < kills:
        if kill(begin(killed), killed.exists, rng.uniform(0, 1) * seconds):
            found.append(len([name for name in contents(killed) if not name.endswith(".partial")]))
            broken += half_written(killed)
            finish(begin(killed))
        unequal += contents(killed) != whole
        left += left_over(killed)
        shutil.rmtree(killed)
    return {
        "kills": kills,
        f"results_of_{len(whole)}_at_each_kill": found,
        "equal": {"after_going_on": not unequal},
        "half_written": broken,
        "left_over": left,
    }


def changed(weights: bytes, rng: random.Random) -> bytes:
    """Weights of which one differs in its lowest bits."""
    at = len(weights) - 4 * rng.randrange(1, 1000)
    return weights[:at] + bytes([weights[at] ^ rng.randrange(1, 256)]) + weights[at + 1 :]
