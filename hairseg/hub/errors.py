"""Errors of the Hugging Face Hub as one sentence and one remedy, and a time limit for calls of its client."""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from hairseg.errors import InputError, quote, summarise

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

THREAD_NAME = "Hub client"  # thread of a call with a timeout

LOG_IN = "Log in with `hf auth login`, or set HF_TOKEN."

# The client raises LookupError, TypeError and AssertionError for malformed responses, AttributeError when an
# abandoned call closes the session that all threads share, and ImportError for a SOCKS proxy without socksio.
CLIENT_ERRORS = (
    HTTPError, OSError, RuntimeError, ValueError, LookupError, TypeError, AssertionError, AttributeError, ImportError
)  # fmt: skip


class HubError(InputError):
    """A failure of the Hub or of the connection to it.

    Args:
        problem: what is wrong, as a sentence.
        remedy: what to do, as a sentence.
        is_unavailable: the Hub gave no usable response.
        is_final: the response rules out a cached copy, for example because the revision was deleted.
    """

    def __init__(self, problem: str, remedy: str | None, *, is_unavailable: bool = False, is_final: bool = False):
        super().__init__(problem, remedy=remedy)
        self.is_unavailable, self.is_final = is_unavailable, is_final


@contextmanager
def translate_errors(repo_id: str, revision: str = "main") -> Iterator[None]:
    """Raise errors of the Hub's client as HubError.

    Args:
        repo_id: the repository that messages name.
        revision: the revision that messages name.

    Raises:
        HubError: the client failed.
    """
    try:
        yield
    except InputError:
        raise
    except CLIENT_ERRORS as error:
        raise explain(error, repo_id, revision) from error


def retry_once(call: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
    """Call, and once more after a server error or a lost connection or session; the client retries few requests."""
    try:
        return call(*args, **kwargs)
    except (HTTPError, AttributeError) as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
            raise
    time.sleep(1)
    return call(*args, **kwargs)


def stop_when_silent(call: Callable[[Callable[[], None]], Result]) -> Result:
    """Call, and give up when the Hub makes no progress for four times HF_HUB_DOWNLOAD_TIMEOUT.

    Many requests of the client have no timeout. The call runs in a daemon thread, which is abandoned on timeout.

    Args:
        call: takes a function to call on every sign of progress.

    Raises:
        TimeoutError: no progress was reported for too long; by default 40 seconds.
    """
    patience = 4 * constants.HF_HUB_DOWNLOAD_TIMEOUT
    last_progress = time.monotonic()
    future: Future[Result] = Future()

    def report_progress() -> None:
        nonlocal last_progress
        last_progress = time.monotonic()

    def run() -> None:
        try:
            future.set_result(call(report_progress))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()
    while (remaining := last_progress + patience - time.monotonic()) > 0:
        wait([future], remaining)
        if future.done():
            return future.result()
    raise TimeoutError(f"no data for {patience:.0f} s")


def explain(error: BaseException, repo_id: str, revision: str = "main") -> HubError:
    """Describe one of `CLIENT_ERRORS` that concerns a repository."""
    hub, message = constants.ENDPOINT, summarise(error)
    unavailable = partial(HubError, is_unavailable=True)
    if isinstance(error, LocalEntryNotFoundError | RuntimeError) and error.__cause__:
        return explain(error.__cause__, repo_id, revision)  # the client wraps the cause of a failed transfer
    if isinstance(error, HfHubHTTPError):
        return _explain_response(error, repo_id, revision)
    if isinstance(error, OfflineModeIsEnabled):
        return unavailable("The Hub client is in offline mode (HF_HUB_OFFLINE=1).", "Unset HF_HUB_OFFLINE.")
    if isinstance(error, ImportError) or "proxy URL" in message:
        return unavailable(
            "The proxy cannot be used.", "Set ALL_PROXY, http_proxy and https_proxy to http://HOST:PORT."
        )
    if isinstance(error, TimeoutError) or "timed out" in message:
        problem = f"{hub} did not answer in time ({message})."
        return unavailable(problem, "Try again later, or raise HF_HUB_DOWNLOAD_TIMEOUT.")
    if isinstance(error, UnicodeEncodeError) or "header value" in message:  # the message would quote the token
        return HubError("The Hub token is malformed.", LOG_IN)
    if isinstance(error, HTTPError | ConnectionError):
        return unavailable(f"The connection to {hub} failed ({message}).", "Check the network and HF_ENDPOINT.")
    if isinstance(error, OSError) or _is_disk_full(error):
        return _explain_local(error, repo_id)
    if "Invalid metadata in README.md" in str(error):
        details = summarise(error, skip=1)
        return HubError(f"{hub} rejected the model card ({details}).", "Correct the card's metadata.")
    problem = f"{hub} gave an unexpected response ({type(error).__name__}: {message})."
    return unavailable(problem, "Check HF_ENDPOINT, and whether the network requires a login.")


def _explain_local(error: BaseException, repo_id: str) -> HubError:
    if isinstance(error, LocalEntryNotFoundError):
        return HubError(f"{repo_id} is not in the cache.", "Download it while online.")
    if isinstance(error, LocalTokenNotFoundError):
        return HubError("No Hub token was found.", LOG_IN)
    if _is_disk_full(error):
        remedy = "Free some space, or set HF_HOME to another disk."
        return HubError(f"The disk is full, so {repo_id} cannot be cached.", remedy)
    if isinstance(error, OSError) and error.filename:
        problem = f"{error.filename} cannot be read or written ({error.strerror})."
        return HubError(problem, "Change its permissions, or set HF_HOME to another folder.", is_final=True)
    problem = f"The download of {repo_id} failed ({summarise(error)})."
    return HubError(problem, "Try again.", is_unavailable=True)


def _is_disk_full(error: BaseException) -> bool:
    # Xet, which is written in Rust, raises RuntimeError with the number in its message.
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return is_full or f"(os error {errno.ENOSPC})" in str(error)


def _explain_response(error: HfHubHTTPError, repo_id: str, revision: str) -> HubError:
    hub, status = constants.ENDPOINT, error.response.status_code
    details = f" ({summarise(error.server_message)})" if error.server_message else ""
    if isinstance(error, GatedRepoError):
        return HubError(f"{repo_id} is gated.", f"Request access at {hub}/{repo_id}. {LOG_IN}")
    if isinstance(error, RevisionNotFoundError):
        remedy = f"Choose a branch, tag or commit from {hub}/{repo_id}/commits/main."
        return HubError(f"{repo_id} has no revision {quote(revision)}.", remedy, is_final=True)
    if isinstance(error, RemoteEntryNotFoundError):
        file = error.response.url.path.partition("/resolve/")[2].partition("/")[2]
        remedy = "Choose another repository or revision."
        return HubError(f"{repo_id}@{revision} has no file {file}.", remedy, is_final=True)
    if isinstance(error, RepositoryNotFoundError) or status == 404 or (status == 401 and get_token() is None):
        remedy = f"Check the spelling of the name. {LOG_IN}"
        return HubError(f"{hub} has no repository {repo_id}, or it is private.", remedy)
    if status == 401:
        return HubError(f"{hub} rejected the token.", LOG_IN)
    if status == 403:
        right = "read" if error.response.request.method in ("GET", "HEAD") else "write to"
        remedy = f"Create a token with that right at {hub}/settings/tokens. {LOG_IN}"
        return HubError(f"The token may not {right} {repo_id}{details}.", remedy)
    problem = f"{hub} failed with status {status}{details}."
    is_unavailable = status == 429 or status >= 500
    return HubError(problem, "Try again later." if is_unavailable else LOG_IN, is_unavailable=is_unavailable)
