"""Every failure of the Hugging Face Hub, or on the way there, as one sentence."""

import time
from collections.abc import Callable
from typing import TypeVar

from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hairseg.errors import InputError, quote, summarise
from hairseg.files import format_bytes, free_bytes
from hairseg.hub.timeouts import HubTimeoutError, http

Answer = TypeVar("Answer")

LOG_IN = "log in with hf auth login, or set HF_TOKEN"


class ChecksumError(Exception):
    """A downloaded file is not what its checksum says."""


class NoRoomError(Exception):
    """The disk of the Hub's cache is full.

    Args:
        room: bytes that are still to be downloaded.
    """

    def __init__(self, room: int):
        self.room = room
        super().__init__(room)


class HubError(InputError):
    """A failure of the Hub or on the way there, as one sentence.

    Args:
        problem, expected, remedy: as of InputError.
        down: the Hub gave no answer, or none about the repository: it says nothing against a copy in the cache.
        final: the Hub's answer rules the request out, whatever the cache holds.
    """

    def __init__(self, problem: str, expected: str | None, remedy: str | None, down: bool = False, final: bool = False):
        super().__init__(problem, expected, remedy)
        self.down, self.final = down, final


# What the client raises, for whatever reason; LookupError, TypeError and AssertionError come of malformed answers.
FAILURES = (
    HTTPError,
    HubTimeoutError,
    ChecksumError,
    NoRoomError,
    EntryNotFoundError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AssertionError,
)

CUT_OFF = (http.ReadError, http.WriteError, http.RemoteProtocolError)

UNREACHABLE = (http.TransportError, http.TooManyRedirects, ConnectionError)


def retry_once(call: Callable[[], Answer]) -> Answer:
    """Call, and once more where the Hub stumbled: the client itself repeats only some of its requests."""
    try:
        return call()
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
    except (*CUT_OFF, ChecksumError):
        pass
    time.sleep(1)
    return call()


def explain(error: BaseException, repo_id: str, revision: str = "main") -> HubError:
    """Any of FAILURES as one sentence about `repo_id`."""
    hub, said = constants.ENDPOINT, str(error)
    if isinstance(error, HubError):
        return error
    if isinstance(error, RuntimeError) and error.__cause__:  # the client wraps a failed upload of a large file
        inner = explain(error.__cause__, repo_id, revision)
        return HubError(
            f"{summarise(error)} because {inner.problem}", inner.expected, inner.remedy, inner.down, inner.final
        )
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__:
        # The client's word for "nothing cached": what kept it from downloading stands behind it.
        return explain(error.__cause__, repo_id, revision)
    if isinstance(error, HfHubHTTPError):
        return _explain_answer(error, repo_id, revision)
    match error:
        case OfflineModeIsEnabled():
            return HubError(
                "the Hub client is in offline mode (HF_HUB_OFFLINE=1)",
                "to ask the Hub",
                "unset HF_HUB_OFFLINE, or give a folder",
                down=True,
            )
        case LocalEntryNotFoundError():
            return HubError(
                f"{repo_id} is not complete in the cache",
                "all of its files",
                "pull it with the Hub in reach",
                down=True,
            )
        case HFValidationError():
            return HubError(
                f"{quote(repo_id)} is no Hub id", "user/name or user/name@revision", "check the spelling", final=True
            )
        case LocalTokenNotFoundError():
            return HubError("there is no token for the Hub", "one that may write", LOG_IN, final=True)
        case HubTimeoutError() | http.TimeoutException():
            return HubError(
                f"{hub} did not answer in time",
                "an answer",
                "try again later, or allow more seconds with HF_HUB_DOWNLOAD_TIMEOUT",
                down=True,
            )
        case ChecksumError():
            return HubError(
                f"{error} of {repo_id} arrived damaged and was thrown away",
                "what its checksum says",
                "try again",
                down=True,
            )
        case NoRoomError():
            return HubError(
                f"{constants.HF_HUB_CACHE} has no room ({format_bytes(free_bytes(constants.HF_HUB_CACHE))} free)",
                f"{format_bytes(error.room)} for {repo_id} there",
                "free some, or set HF_HOME to another disk",
            )
    if isinstance(error, CUT_OFF) or "Consistency check failed" in said:
        return HubError(f"the transfer of {repo_id} was cut off", f"{hub} to stay connected", "try again", down=True)
    if isinstance(error, UNREACHABLE):
        return HubError(
            f"{hub} cannot be reached ({summarise(error)})",
            "the Hugging Face Hub",
            "check the network and HF_ENDPOINT",
            down=True,
        )
    if isinstance(error, OSError) and error.errno and not isinstance(error, FileMetadataError):
        return HubError(
            f"{error.filename or constants.HF_HUB_CACHE} cannot be used ({error.strerror})",
            "to read and write there",
            "set HF_HOME to another folder",
            final=True,
        )
    if "Invalid metadata in README.md" in said:
        return HubError(
            f"{hub} refuses the model card ({summarise(error, skip=1)})",
            "valid metadata at the head of README.md",
            "correct it there",
            final=True,
        )
    return HubError(
        f"{hub} does not answer like a Hub ({type(error).__name__}: {summarise(error)})",
        "the Hugging Face Hub",
        "check HF_ENDPOINT, and whether the network asks for a login",
        down=True,
    )


def _explain_answer(error: HfHubHTTPError, repo_id: str, revision: str) -> HubError:
    hub, status = constants.ENDPOINT, error.response.status_code
    said = f" ({summarise(error.server_message)})" if error.server_message else ""
    if isinstance(error, GatedRepoError):
        return HubError(
            f"{repo_id} is gated", "that its owner lets you in", f"ask for access at {hub}/{repo_id} and {LOG_IN}"
        )
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            f"{repo_id} has no revision {quote(revision)}",
            "a branch, a tag or a commit",
            f"see {hub}/{repo_id}/commits/main",
            final=True,
        )
    if isinstance(error, RemoteEntryNotFoundError):
        file = str(error.response.url).partition("/resolve/")[2].partition("?")[0].partition("/")[2]
        return HubError(
            f"{repo_id} has no file {file or 'of that name'} at {revision}",
            "a whole HairSeg model repository",
            "choose another revision",
            final=True,
        )
    if isinstance(error, RepositoryNotFoundError) or status == 404 or (status == 401 and get_token() is None):
        return HubError(
            f"{hub} has no repository {repo_id}, or you have no access to it",
            "a folder, or a Hub id that your token may read",
            f"check the spelling, or {LOG_IN}",
        )
    if status == 401:
        return HubError(f"{hub} does not accept your token", "a valid one", LOG_IN)
    if status in (413, 507) or (status == 403 and "storage" in said):  # the Hub answers 403 when a quota is used up
        return HubError(
            f"{hub} has no room for {repo_id}{said}",
            "that it fits into what your account may store",
            f"delete something at {hub}/settings, or push less",
            final=True,
        )
    if status == 403:
        right = "read" if error.response.request.method in ("GET", "HEAD") else "write to"
        return HubError(
            f"you may not {right} {repo_id}{said}",
            "a token with that right",
            f"create it at {hub}/settings/tokens and {LOG_IN}",
        )
    if status == 412:
        return HubError(f"{repo_id} has changed meanwhile", "to be its only writer", "push again", final=True)
    if status == 429:
        return HubError(f"{hub} allows no more requests for now", "fewer", "try again in some minutes", down=True)
    if status >= 500:
        return HubError(f"{hub} fails with status {status}", "an answer", "try again later", down=True)
    return HubError(f"{hub} refuses with status {status}{said}", "success", "check the id and your rights there")
