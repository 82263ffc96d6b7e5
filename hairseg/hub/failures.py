"""Talking to the Hugging Face Hub: no wait without an end, and every failure as one sentence."""

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

from hairseg.errors import InputError
from hairseg.hub.timeouts import HubTimeoutError, http

Answer = TypeVar("Answer")


class ChecksumError(Exception):
    """A downloaded file is not what its checksum says."""


class HubError(InputError):
    """A failure of the Hub or on the way there, as one sentence.

    Attributes:
        reason: what went wrong, as a clause without a full stop ("the Hub cannot be reached").
        remedy: what was expected and what to do.
        down: the Hub gave no answer, or none about the repository: it says nothing against a copy in the cache.
        final: the Hub's answer rules the request out, whatever the cache holds.
    """

    def __init__(self, reason: str, remedy: str, down: bool = False, final: bool = False):
        super().__init__(f"{reason}: {remedy}.")
        self.reason, self.remedy, self.down, self.final = reason, remedy, down, final


# What the client raises, for whatever reason; LookupError, TypeError and AssertionError come of malformed answers.
FAILURES = (
    HTTPError,
    HubTimeoutError,
    ChecksumError,
    EntryNotFoundError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AssertionError,
)


def retry_once(call: Callable[[], Answer]) -> Answer:
    """Call, and once more where the Hub stumbled: the client itself repeats only some of its requests."""
    try:
        return call()
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
    except (http.ReadError, http.WriteError, http.RemoteProtocolError, ChecksumError):
        pass
    time.sleep(1)
    return call()


def explain(error: Exception, repo_id: str, revision: str = "main") -> HubError:
    """Any of FAILURES as one sentence about `repo_id`."""
    hub = constants.ENDPOINT
    if isinstance(error, HubError):
        return error
    if isinstance(error, RuntimeError) and error.__cause__:  # the client wraps a failed upload of a large file
        inner = explain(error.__cause__, repo_id, revision)
        return HubError(f"{str(error).rstrip('.')} because {inner.reason}", inner.remedy, inner.down, inner.final)
    if isinstance(error, OfflineModeIsEnabled):
        return HubError(
            "the Hub client is in offline mode (HF_HUB_OFFLINE=1)",
            "expected to ask the Hub; unset HF_HUB_OFFLINE, or give a folder",
            down=True,
        )
    if isinstance(error, LocalEntryNotFoundError):
        # The client's word for "nothing cached": what kept it from downloading stands behind it.
        if error.__cause__:
            return explain(error.__cause__, repo_id, revision)
        return HubError(
            f"{repo_id} is not complete in the cache",
            "expected all of its files; pull it with the Hub in reach",
            down=True,
        )
    if isinstance(error, HFValidationError):
        return HubError(
            f"{repo_id!r} is no Hub id", "expected user/name or user/name@revision; check the spelling", final=True
        )
    if isinstance(error, LocalTokenNotFoundError):
        return HubError(
            "there is no token for the Hub",
            "expected one that may write; log in with hf auth login, or set HF_TOKEN",
            final=True,
        )
    if isinstance(error, HfHubHTTPError):
        return _explain_answer(error, repo_id, revision)
    if isinstance(error, (HubTimeoutError, http.TimeoutException)):
        return HubError(
            f"{hub} did not answer in time",
            "expected an answer; try again later, or allow more seconds with HF_HUB_DOWNLOAD_TIMEOUT",
            down=True,
        )
    if isinstance(
        error, (http.ReadError, http.WriteError, http.RemoteProtocolError)
    ) or "Consistency check failed" in str(error):
        return HubError(
            f"the transfer of {repo_id} was cut off", f"expected {hub} to stay connected; try again", down=True
        )
    if isinstance(error, ChecksumError):
        return HubError(
            f"{error} of {repo_id} arrived damaged and was thrown away",
            "expected what its checksum says; try again",
            down=True,
        )
    if isinstance(error, (http.TransportError, http.TooManyRedirects, ConnectionError)):
        return HubError(
            f"{hub} cannot be reached ({_first_line(error)})",
            "expected the Hugging Face Hub; check the network and HF_ENDPOINT",
            down=True,
        )
    if isinstance(error, OSError) and error.errno and not isinstance(error, FileMetadataError):
        return HubError(
            f"{error.filename or constants.HF_HUB_CACHE} cannot be used ({error.strerror})",
            "expected to read and write there; free the disk, or set HF_HOME to another folder",
            final=True,
        )
    if "Invalid metadata in README.md" in str(error):
        return HubError(
            f"{hub} refuses the model card ({_first_line(error, skip=1)})",
            "expected valid metadata at the head of README.md; correct it there",
            final=True,
        )
    return HubError(
        f"{hub} does not answer like a Hub ({type(error).__name__}: {_first_line(error)})",
        "expected the Hugging Face Hub; check HF_ENDPOINT, and whether the network asks for a login",
        down=True,
    )


def _explain_answer(error: HfHubHTTPError, repo_id: str, revision: str) -> HubError:
    hub, status, said = constants.ENDPOINT, error.response.status_code, _first_line(error.server_message or "")
    log_in = "log in with hf auth login, or set HF_TOKEN"
    if isinstance(error, GatedRepoError):
        return HubError(
            f"{repo_id} is gated",
            f"expected that its owner lets you in; ask for access at {hub}/{repo_id} and {log_in}",
        )
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            f"{repo_id} has no revision {revision!r}",
            f"expected a branch, a tag or a commit; see {hub}/{repo_id}/commits/main",
            final=True,
        )
    if isinstance(error, RemoteEntryNotFoundError):
        file = str(error.response.url).partition("/resolve/")[2].partition("?")[0].partition("/")[2]
        return HubError(
            f"{repo_id} has no file {file or 'of that name'} at {revision}",
            "expected a whole HairSeg model repository; choose another revision",
            final=True,
        )
    if isinstance(error, RepositoryNotFoundError) or status == 404 or (status == 401 and get_token() is None):
        return HubError(
            f"{hub} has no repository {repo_id}, or you have no access to it",
            f"expected a folder, or a Hub id that your token may read; check the spelling, or {log_in}",
        )
    if status == 401:
        return HubError(f"{hub} does not accept your token", f"expected a valid one; {log_in}")
    if status == 403:
        right = "read" if error.response.request.method in ("GET", "HEAD") else "write to"
        return HubError(
            f"you may not {right} {repo_id}" + (f" ({said})" if said else ""),
            f"expected a token with that right; create it at {hub}/settings/tokens and {log_in}",
        )
    if status == 412:
        return HubError(f"{repo_id} has changed meanwhile", "expected to be its only writer; push again", final=True)
    if status == 429:
        return HubError(
            f"{hub} allows no more requests for now", "expected fewer of them; try again in some minutes", down=True
        )
    if status >= 500:
        return HubError(f"{hub} fails with status {status}", "expected an answer; try again later", down=True)
    return HubError(
        f"{hub} refuses with status {status}" + (f" ({said})" if said else ""),
        "expected success; check the id and your rights there",
    )


def _first_line(text: object, skip: int = 0) -> str:
    lines = [line.strip(" -.") for line in str(text).splitlines() if line.strip(" -.")]
    return lines[min(skip, len(lines) - 1)] if lines else "no details"
