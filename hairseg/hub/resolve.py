"""Find a model repository in a folder, on the Hugging Face Hub or in the Hub's cache."""

import hashlib
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download  # pyright: ignore[reportUnknownVariableType]
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import tqdm, validate_repo_id

from hairseg.errors import InputError, quote
from hairseg.files import atomic_write
from hairseg.hub.errors import CLIENT_ERRORS, HubError, retry_once, stop_when_silent, translate_errors
from hairseg.repository.repository import (
    BUNDLED,
    CONFIG_FILE,
    FILE_PATTERNS,
    SERVING_FILES,
    ModelRepository,
    is_repository_file,
)


@dataclass(frozen=True)
class ResolvedRepo:
    """A model repository on this machine.

    Attributes:
        folder: its location.
        repo_id: "user/name" on the Hub, or None for a folder.
        commit: the commit on the Hub.
        reason: why a cached copy is used, as a sentence; None if the Hub confirmed that this is the current state.
    """

    folder: Path
    repo_id: str | None = None
    commit: str | None = None
    reason: str | None = None

    @property
    def url(self) -> str | None:
        """The repository's page on the Hub."""
        return self.repo_id and f"{constants.ENDPOINT}/{self.repo_id}"

    @property
    def repository(self) -> ModelRepository:
        """The model repository. Its messages name user/name@commit instead of the folder in the cache."""
        return ModelRepository(self.folder, f"{self.repo_id}@{(self.commit or '')[:7]}" if self.repo_id else None)

    def __str__(self) -> str:
        if self.repo_id is None:
            return str(self.folder)
        name = f"{self.repo_id} at {(self.commit or '')[:7]}"
        return f"{name} (cached copy: {self.reason})" if self.reason else name


def default_repos() -> list[str]:
    """Return the repositories in HAIRSEG_REPO, which spaces separate, else the bundled one.

    Raises:
        InputError: a quote in HAIRSEG_REPO is not closed.
    """
    value = os.environ.get("HAIRSEG_REPO", "")
    if value and Path(value).is_dir():
        return [value]
    try:
        return shlex.split(value) or [str(BUNDLED)]
    except ValueError:
        raise InputError(f"HAIRSEG_REPO is {quote(value)}.", remedy="Close every quote.") from None


def default_repo() -> str:
    """Return the first of `default_repos`."""
    return default_repos()[0]


def parse_repo_id(repo: str, revision: str | None = None) -> tuple[str, str]:
    """Split "user/name" or "user/name@revision".

    Args:
        repo: the Hub id.
        revision: branch, tag or commit, instead of the one in `repo`.

    Returns:
        "user/name" and the revision, "main" by default.

    Raises:
        InputError: the id is malformed, or names another revision.
    """
    repo_id, at, named_revision = repo.partition("@")
    if named_revision and revision and named_revision != revision:
        raise InputError(f"{quote(repo)} and revision {quote(revision)} disagree.", remedy="Name one revision.")
    with suppress(HFValidationError):
        validate_repo_id(repo_id)
        if repo_id.count("/") == 1 and bool(at) == bool(named_revision):
            return repo_id, revision or named_revision or "main"
    raise InputError(
        f"{quote(repo)} is neither a folder nor a Hub id.", remedy="Use a folder, user/name or user/name@revision."
    )


def resolve(
    repo: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    include_card: bool = False,
) -> ResolvedRepo:
    """Find a model repository; from the Hub, download the files that are not cached.

    A folder takes precedence over a Hub id of the same name, and is not validated here. A repository from the Hub is
    validated, and its files must match the Hub's checksums. If the Hub is unavailable, slow or denies access, the last
    complete copy in the cache is used.

    Args:
        repo: a folder, "user/name" or "user/name@revision".
        revision: branch, tag or commit on the Hub; ignored for a folder.
        token: a Hub token; by default that of `hf auth login` or HF_TOKEN.
        cache_dir: the Hub's cache; by default that of HF_HOME.
        local_files_only: use the cache without asking the Hub.
        force_download: download files again that are cached.
        include_card: also download the model card, figures and ONNX files.

    Raises:
        InputError: the id is malformed, or the repository is not valid.
        HubError: the Hub denied the request or failed, and no complete copy is cached.
    """
    if repo and Path(repo).is_dir():
        return ResolvedRepo(Path(repo))
    if Path(repo).is_file():
        raise InputError(f"{repo} is a file.", remedy="Give the folder of the model repository.")
    hub_repo = _HubRepo(*parse_repo_id(repo, revision), token, cache_dir)
    patterns = FILE_PATTERNS if include_card else SERVING_FILES
    try:
        with translate_errors(hub_repo.repo_id, hub_repo.revision):
            if local_files_only:
                return hub_repo.find_cached()
            return stop_when_silent(partial(hub_repo.download, patterns, force_download))
    except HubError as error:
        if error.is_final or local_files_only:
            raise
        with suppress(LocalEntryNotFoundError, InputError):
            return replace(hub_repo.find_cached(), reason=error.problem)
        if not error.is_unavailable:
            raise
        problem = f"{error.problem} {hub_repo.repo_id} is not in the cache."
        raise HubError(problem, error.remedy, is_unavailable=True) from None


def pull(
    repo: str, output: str | Path | None = None, *, revision: str | None = None, token: str | None = None
) -> ResolvedRepo:
    """Download a repository with its card, figures and ONNX files.

    Args:
        repo: a folder, "user/name" or "user/name@revision".
        output: a new or empty folder for a copy; by default the repository stays in the Hub's cache.
        revision: branch, tag or commit on the Hub.
        token: a Hub token; by default that of `hf auth login` or HF_TOKEN.

    Raises:
        InputError: as `resolve`, or the output folder is not empty or cannot be written.
    """
    output = Path(output).resolve() if output else None
    if output and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output} is not empty.", remedy="Choose a new or empty folder.")
    found = resolve(repo, revision=revision, token=token, include_card=True)
    if output is None:
        return found
    with atomic_write(output) as temporary:
        for name in found.repository.files():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.folder / name, temporary / name)
    return replace(found, folder=output)


@dataclass(frozen=True)
class _HubRepo:
    """A revision of a repository on the Hub, and the cache for it."""

    repo_id: str
    revision: str
    token: str | None
    cache_dir: str | Path | None

    def find_cached(self) -> ResolvedRepo:
        """Return the cached copy.

        Raises:
            LocalEntryNotFoundError: none is cached.
            InputError: it is incomplete or not valid.
        """
        return self._validate(self._cached_folder())

    def download(self, patterns: Sequence[str], force: bool, report_progress: Callable[[], None]) -> ResolvedRepo:
        """Download the files that are not cached, and validate the repository.

        Args:
            patterns: of the files that are needed.
            force: download cached files, too.
            report_progress: called on every sign of progress.

        Raises:
            InputError: it is not a valid model repository.
            Exception: one of `CLIENT_ERRORS`.
        """

        class ProgressBar(tqdm):
            def update(self, n: float | None = 1) -> bool | None:
                report_progress()
                return super().update(n)

        def fetch(name: str, revision: str, force: bool = False) -> Path:
            path = hf_hub_download(
                self.repo_id,
                name,
                revision=revision,
                token=self.token,
                cache_dir=self.cache_dir,
                force_download=force,
                etag_timeout=timeout,
                tqdm_class=ProgressBar,
            )
            return Path(path)

        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        request = HfApi(token=self.token).model_info
        info = retry_once(request, self.repo_id, revision=self.revision, files_metadata=True, timeout=timeout)
        commit = info.sha or self.revision
        for file in info.siblings or []:
            name = file.rfilename
            if is_repository_file(name, patterns):
                path = retry_once(fetch, name, commit, force)
                if not _has_checksum(path, file) and not _has_checksum(fetch(name, commit, force=True), file):
                    raise OSError(f"{name} does not match its checksum")
                report_progress()
        found = self._validate(fetch(CONFIG_FILE, commit).parent)
        with suppress(*CLIENT_ERRORS):
            # A request by branch or tag makes the client store the commit that it refers to. It is sent last, so that
            # an interrupted download leaves the previous copy available offline.
            if not self._is_cached_as(commit):
                fetch(CONFIG_FILE, self.revision)
        return found

    def _cached_folder(self) -> Path:
        folder = snapshot_download(
            self.repo_id,
            revision=self.revision,
            cache_dir=self.cache_dir,
            allow_patterns=CONFIG_FILE,
            local_files_only=True,
        )
        return Path(folder)

    def _is_cached_as(self, commit: str) -> bool:
        try:
            return self._cached_folder().name == commit
        except LocalEntryNotFoundError:
            return False

    def _validate(self, folder: Path) -> ResolvedRepo:
        found = ResolvedRepo(folder, self.repo_id, folder.name)
        found.repository.validate()
        return found


def _has_checksum(path: Path, file: RepoSibling) -> bool:
    """Compare a file with the SHA-256 (large files) or Git's SHA-1 (other files) that the Hub lists."""
    content = path.read_bytes()
    if file.lfs:
        return hashlib.sha256(content).hexdigest() == file.lfs.sha256
    return file.blob_id in (None, hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())
