"""Where a model repository lies: a folder, or the Hub's cache, into which it is pulled."""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants

from hairseg.errors import InputError, quote
from hairseg.files import atomic_write
from hairseg.hub.errors import FAILURES, HubError, explain, retry_once
from hairseg.hub.snapshots import COMMIT, cached, download, parse_id, remember
from hairseg.hub.timeouts import deadline
from hairseg.repository.repository import BUNDLED, FILE_PATTERNS, SERVING_FILES, ModelRepository


@dataclass(frozen=True)
class ResolvedRepo:
    """Where a repository lies on this machine, and what a page should say about it."""

    folder: Path
    repo_id: str | None = None  # None: a local folder
    commit: str | None = None  # what the Hub calls this state of the repository
    reason: str | None = None  # why a copy from the cache had to do; None: the Hub itself named this state

    @property
    def url(self) -> str | None:
        return self.repo_id and f"{constants.ENDPOINT}/{self.repo_id}"

    def __str__(self) -> str:
        if self.repo_id is None:
            return str(self.folder)
        why = f" (cached copy, because {self.reason})" if self.reason else ""
        return f"{self.repo_id} at {(self.commit or '')[:7]}{why}"


def default_repos() -> list[str]:
    """Those in HAIRSEG_REPO, separated by spaces, else the bundled one. Quotes keep a path with spaces together.

    Raises:
        InputError: a quote is not closed.
    """
    named = os.environ.get("HAIRSEG_REPO", "")
    if named and Path(named).is_dir():
        return [named]
    try:
        return shlex.split(named) or [str(BUNDLED)]
    except ValueError:
        raise InputError(f"HAIRSEG_REPO is {quote(named)}", "every quote to be closed") from None


def default_repo() -> str:
    """The first of `default_repos`."""
    return default_repos()[0]


def resolve(repo: str, everything: bool = False) -> ResolvedRepo:
    """Find a repository, on disk or on the Hub; what is missing of the latter is downloaded into the Hub's cache.

    A folder wins over a Hub id of the same name. When the Hub is slow, down or refuses, the last whole copy in the
    cache is used, and `ResolvedRepo.reason` tells why. A repository from the Hub is validated; a folder is left to the
    strict loading of hairseg.repository.

    Args:
        repo: a folder, "user/name" or "user/name@revision" (branch, tag or commit).
        everything: also the card and the figures, not only what evaluating and serving need.

    Raises:
        InputError: malformed id; no such repository, revision or file, or no access; nothing reachable and nothing
            cached; a download that was cut off or arrived damaged; not a HairSeg repository. HubError, its subclass,
            where the Hub or the way there is at fault.
    """
    if repo and Path(repo).is_dir():
        return ResolvedRepo(Path(repo))
    repo_id, revision = parse_id(repo)
    files = FILE_PATTERNS if everything else SERVING_FILES
    try:
        with deadline():
            commit = revision if COMMIT.fullmatch(revision) else _commit_of(repo_id, revision)
            folder = None if everything else cached(repo_id, commit, files)
            folder = folder or retry_once(lambda: download(repo_id, commit, files))
    except InputError:
        raise
    except FAILURES as error:
        failure = explain(error, repo_id, revision)
        folder = None if failure.final else cached(repo_id, revision, files)
        if folder is None:
            if failure.down:
                problem = f"{repo_id} is not in the cache, and {failure.problem}"
                failure = HubError(problem, failure.expected, failure.remedy, down=True)
            raise failure from error
        return ResolvedRepo(folder, repo_id, folder.name, failure.problem)
    remember(folder, revision)
    return ResolvedRepo(folder, repo_id, commit)


def _commit_of(repo_id: str, revision: str) -> str:
    commit = retry_once(lambda: HfApi().model_info(repo_id, revision=revision)).sha
    if commit is None:
        raise LookupError(f"no commit for {revision}")
    return commit


def pull(repo: str, output: str | Path | None = None) -> ResolvedRepo:
    """Download a whole repository, card and figures included, for offline use.

    Args:
        repo: as for `resolve`.
        output: a new or empty folder for a copy of it; None: the Hub's cache alone.

    Raises:
        InputError: as `resolve`, or the output folder holds something.
    """
    output = Path(output).resolve() if output else None
    if output and output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output} is not empty", "a new or empty folder", "choose another --output")
    found = resolve(repo, everything=True)
    if output is None:
        return found
    files = ModelRepository(found.folder).files()
    with atomic_write(output, sum((found.folder / path).stat().st_size for path in files)) as beside:
        for path in files:
            (beside / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.folder / path, beside / path)
    return ResolvedRepo(output, found.repo_id, found.commit, found.reason)
