"""Which files make a model repository on the Hub, and the Hub's own cache of them: whole and valid, or not at all."""

import errno
import hashlib
import os
import re
import warnings
from contextlib import suppress
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import WeakFileLock, validate_repo_id

from hairseg.errors import InputError, quote
from hairseg.files import FULL
from hairseg.hub.errors import ChecksumError, NoRoomError
from hairseg.repository.repository import CONFIG_FILE, ModelRepository

COMMIT = re.compile("[0-9a-f]{40}")


def parse_id(repo: str) -> tuple[str, str]:
    """ "user/name[@revision]" -> (id, revision), the revision "main" where none is given.

    Raises:
        InputError: not of that form.
    """
    repo_id, at, revision = repo.partition("@")
    with suppress(HFValidationError):
        validate_repo_id(repo_id)
        if repo_id.count("/") == 1 and bool(at) == bool(revision):
            return repo_id, revision or "main"
    raise InputError(
        f"{quote(repo)} is neither a folder nor a Hub id",
        "a folder, user/name or user/name@revision",
        "check the spelling",
    )


def download(repo_id: str, commit: str, files: list[str]) -> Path:
    """Fetch what the cache lacks of one commit.

    Args:
        files: names and patterns; nothing else of the repository is touched.

    Raises:
        ChecksumError: a file is not what its checksum says; it has been removed, the next download fetches it again.
        NoRoomError: the cache's disk is full.
        InputError: the Hub has it whole, but it is no valid HairSeg repository.
        Exception: failures.FAILURES, on the way there.
    """
    _remove_incomplete(repo_id)
    try:
        with warnings.catch_warnings():
            # A disk without the room for a file is told of by the error that follows.
            warnings.filterwarnings("ignore", "Not enough free disk space")
            folder = Path(snapshot_download(repo_id, revision=commit, allow_patterns=files))
    except (OSError, RuntimeError) as error:
        # What downloads large files is written in Rust, and says the number of the system's error in words.
        if getattr(error, "errno", None) not in FULL and f"(os error {errno.ENOSPC})" not in str(error):
            raise
        _remove_incomplete(repo_id)
        lacking = snapshot_download(repo_id, revision=commit, allow_patterns=files, dry_run=True)
        raise NoRoomError(sum(file.file_size or 0 for file in lacking if file.will_download)) from None
    _check(folder, f"{repo_id}@{commit[:7]}")
    return folder


def _remove_incomplete(repo_id: str) -> None:
    """Remove what killed downloads have left in the cache: whoever downloads a file holds the client's lock of it."""
    cache, name = Path(constants.HF_HUB_CACHE), repo_folder_name(repo_id=repo_id, repo_type="model")
    for path in (cache / name / "blobs").glob("*.incomplete"):
        lock = cache / ".locks" / name / f"{path.name.partition('.')[0]}.lock"
        with suppress(OSError), WeakFileLock(lock, timeout=0.1):
            path.unlink()


def cached(repo_id: str, revision: str, files: list[str]) -> Path | None:
    """The last whole and valid copy of a revision (branch, tag or commit), without asking the Hub."""
    try:
        folder = Path(snapshot_download(repo_id, revision=revision, allow_patterns=files, local_files_only=True))
        _check(folder, repo_id)
    except (LocalEntryNotFoundError, InputError, ChecksumError):
        return None
    return folder


def _check(folder: Path, name: str) -> None:
    if not folder.is_dir():  # none of the files is there
        raise InputError(f"{name} is no HairSeg model repository: {CONFIG_FILE} is missing", "what train.py writes")
    files = [path for path in folder.rglob("*") if path.is_file()]
    _remove_damaged([path for path in files if path.suffix == ".safetensors"])
    try:
        ModelRepository(folder).validate()
    except InputError as error:
        _remove_damaged(files)
        raise InputError(error.problem.replace(str(folder), name), error.expected, error.remedy) from None


def _remove_damaged(files: list[Path]) -> None:
    """The client compares sizes only. The cache names its files by checksum: SHA-256 of large ones, Git's of others."""
    for path in files:
        if not path.is_symlink():  # a file system without symbolic links: the checksum is not known
            continue
        # One step, not `resolve`: what has the name may be a link itself, to files that several repositories share.
        blob = path.parent / os.readlink(path)
        content = path.read_bytes()
        if len(blob.name) == 64:
            found = hashlib.sha256(content).hexdigest()
        else:
            found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if found != blob.name:
            for damaged in (path.resolve(), blob, path):
                damaged.unlink(missing_ok=True)
            raise ChecksumError(path.name)


def remember(folder: Path, revision: str) -> None:
    """Note in the cache what a branch or tag stands for, as the client does, but only once all files are here.

    The client notes it first; after a broken download the former copy, though whole, would not be found any more.
    """
    if COMMIT.fullmatch(revision):
        return
    reference = folder.parents[1] / "refs" / revision
    with suppress(OSError):  # a cache that can only be read
        reference.parent.mkdir(parents=True, exist_ok=True)
        temporary = reference.with_name(f"{reference.name}.{os.getpid()}")
        temporary.write_text(folder.name)
        temporary.replace(reference)
