"""Pushing a model repository to the Hugging Face Hub: whole, in one commit that bears a tag."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants

from hairseg.errors import InputError, quote
from hairseg.hub.card import is_as_rendered, render_card
from hairseg.hub.errors import FAILURES, LOG_IN, HubError, explain, retry_once
from hairseg.hub.history import read_remote, releases
from hairseg.hub.snapshots import parse_id
from hairseg.hub.timeouts import deadline
from hairseg.repository.repository import CARD_FILE, ModelRepository, is_repository_file

UPLOAD_PATIENCE = 3  # times the patience of a download: the Hub checks what it is given before it answers


@dataclass(frozen=True)
class PushedRepo:
    url: str
    commit: str
    tag: str
    card_kept: bool  # the card on the Hub had been edited there and was left alone


def check_id(repo_id: str) -> None:
    if parse_id(repo_id)[0] != repo_id:
        raise InputError(
            f"{quote(repo_id)} names a revision",
            "user/name alone, as a push goes to main",
            "leave out what follows @",
        )


def check_push(repo_id: str, private: bool = False, token: str | None = None) -> None:
    """Make sure that `push` will be let in, before anyone trains for hours; creates the repository where there is none.

    Raises:
        InputError: malformed id; no token, an invalid one, one that may only read or not write there; the repository
            is public though a private one is asked for; the Hub cannot be reached.
    """
    check_id(repo_id)
    try:
        with deadline():
            check_rights(HfApi(token=token), repo_id, private)
    except InputError:
        raise
    except FAILURES as error:
        raise explain(error, repo_id) from error


def check_rights(api: HfApi, repo_id: str, private: bool, kind: str = "model", space_sdk: str | None = None) -> None:
    """As `check_push`, for any kind of repository."""
    caller = retry_once(api.whoami)
    role = caller.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise HubError(
            f"the token of {caller['name']} is read-only",
            f"one that may write to {repo_id}",
            f"create it at {constants.ENDPOINT}/settings/tokens and {LOG_IN}",
        )
    # Without a wish the owner's default stands, which an organisation may have set to private.
    retry_once(
        lambda: api.create_repo(repo_id, private=private or None, exist_ok=True, repo_type=kind, space_sdk=space_sdk)
    )
    if private and retry_once(lambda: api.repo_info(repo_id, repo_type=kind)).private is False:
        raise InputError(
            f"{repo_id} exists and is public",
            "a private one for --private",
            "change it in its settings, or choose another name",
        )
    # Asking how a file would have to be uploaded changes nothing and needs the right to write.
    probe = [CommitOperationAdd(CARD_FILE, b"may I write?")]
    retry_once(lambda: api.preupload_lfs_files(repo_id, probe, repo_type=kind))


def push(
    folder: str | Path,
    repo_id: str,
    private: bool = False,
    overwrite_card: bool = False,
    token: str | None = None,
    allow_regression: bool = False,
) -> PushedRepo:
    """Push a repository to the Hub's main branch in one commit, and tag it with the time.

    Files that an earlier push left there and that this one has not are deleted in the same commit; others are left
    alone, and so is a card that its owner edited on the Hub.

    Args:
        folder: the model repository.
        repo_id: "user/name".
        private: only its owner sees it.
        overwrite_card: also a card that was edited on the Hub.
        token: of the Hub; by default the one that its client finds.
        allow_regression: also if it scores worse, on the same data, than what was tagged last.

    Raises:
        InputError: the folder is no valid repository, or has links to elsewhere, or the push failed: then the message
            names the command that pushes again.
    """
    folder = Path(folder)
    check_id(repo_id)
    repository = ModelRepository(folder)
    repository.validate()
    if not repository.card.is_file():
        raise InputError(f"{repository.card} is missing", "the model card that train.py writes")
    _check_links(repository)
    options = ["--private"] * private + ["--overwrite-card"] * overwrite_card + ["--anyway"] * allow_regression
    command = shlex.join(["python", "-m", "hairseg.hub", "push", str(folder), repo_id, *options])
    try:
        check_push(repo_id, private, token)
        if not allow_regression:
            with deadline():
                _check_scores(HfApi(token=token), repository, repo_id)
        with deadline(UPLOAD_PATIENCE):
            return _push(HfApi(token=token), repository, repo_id, overwrite_card)
    except FAILURES as error:
        failure = error if isinstance(error, InputError) else explain(error, repo_id)
        kept = f"{folder} is kept, push it with `{command}`"
        remedy = f"{failure.remedy}; {kept}" if failure.remedy else kept
        raise InputError(failure.problem, failure.expected, remedy) from error


def _check_scores(api: HfApi, repository: ModelRepository, repo_id: str) -> None:
    last = next(releases(api, repo_id), None)
    worse = repository.metrics().regressions_against(last.metrics) if last else []
    if last and worse:
        raise InputError(
            f"{repository.folder} scores worse than {repo_id}@{last.tag} ({'; '.join(worse)})",
            "scores at least as good on the same data",
            "add --anyway to push it all the same",
        )


def _check_links(repository: ModelRepository) -> None:
    """Nothing from elsewhere on this machine is published; the Hub's cache itself consists of links."""
    inside = (repository.folder.resolve(), Path(constants.HF_HUB_CACHE).resolve())
    for name in repository.files():
        path = repository.folder / name
        if not any(path.resolve().is_relative_to(folder) for folder in inside):
            raise InputError(f"{path} is a link to {quote(str(path.resolve()))}", "a file", "replace it by a copy")


def _push(api: HfApi, repository: ModelRepository, repo_id: str, overwrite_card: bool) -> PushedRepo:
    files: dict[str, Path | bytes] = {path: repository.folder / path for path in repository.files()}
    card = _addressed_card(repository, repo_id)
    remote = {sibling.rfilename for sibling in retry_once(lambda: api.model_info(repo_id)).siblings or []}
    card_kept = CARD_FILE in remote and not overwrite_card and _card_is_edited(api, repo_id, card)
    files[CARD_FILE] = card
    if card_kept:
        del files[CARD_FILE]
    ours = {path for path in remote if is_repository_file(path) and path != CARD_FILE}
    commit = commit_files(api, repo_id, files, ours - files.keys(), "Push from HairSeg")
    tag = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    try:
        retry_once(lambda: api.create_tag(repo_id, tag=tag, revision=commit, exist_ok=True))
    except FAILURES as error:
        failure = explain(error, repo_id)
        problem = f"the files are there, but without a tag, because {failure.problem}"
        raise HubError(problem, failure.expected, failure.remedy) from error
    return PushedRepo(f"{constants.ENDPOINT}/{repo_id}", commit, tag, card_kept)


def _addressed_card(repository: ModelRepository, repo_id: str) -> bytes:
    """The card; one that nobody edited says where it lies and what lies beside it."""
    text = repository.card.read_text(encoding="utf-8")
    if is_as_rendered(text):
        text = render_card(repository.config, repository.metrics(), repo_id, repository.onnx_variants())
    return text.encode()


def _card_is_edited(api: HfApi, repo_id: str, card: bytes) -> bool:
    there = read_remote(api, repo_id, CARD_FILE)
    return there is not None and there != card and not is_as_rendered(there.decode("utf-8", "replace"))


def commit_files(
    api: HfApi, repo_id: str, files: dict[str, Path | bytes], surplus: set[str], message: str, kind: str = "model"
) -> str:
    """One commit; not `upload_folder`, which in huggingface_hub 2.x may spread a folder over several."""

    def attempt():
        operations: list = [CommitOperationAdd(path, file) for path, file in files.items()]
        operations += [CommitOperationDelete(path) for path in sorted(surplus)]
        return api.create_commit(repo_id, operations, commit_message=message, repo_type=kind)

    return retry_once(attempt).oid
