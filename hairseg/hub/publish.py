"""Push a model repository to the Hugging Face Hub in one commit, and tag it."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants

from hairseg.errors import InputError, quote
from hairseg.hub.card import is_unedited, render_card
from hairseg.hub.errors import (
    CLIENT_ERRORS,
    HubError,
    explain,
    retry_once,
    stop_when_silent,
    translate_errors,
)
from hairseg.hub.history import releases
from hairseg.hub.resolve import parse_repo_id
from hairseg.repository.repository import CARD_FILE, ModelRepository, is_repository_file


@dataclass(frozen=True)
class PushedRepo:
    """The result of a push.

    Attributes:
        url: the repository's page on the Hub.
        commit: the new commit.
        tag: the tag of that commit.
        card_kept: whether the card on the Hub was kept because it had been edited there.
    """

    url: str
    commit: str
    tag: str
    card_kept: bool


def check_id(repo_id: str) -> None:
    """Raise InputError unless a Hub id is "user/name" without a revision."""
    if parse_repo_id(repo_id)[0] != repo_id:
        raise InputError(f"{quote(repo_id)} names a revision.", remedy="Use user/name; a push goes to main.")


def check_push(
    repo_id: str,
    private: bool = False,
    token: str | None = None,
    space_sdk: Literal["gradio", "docker"] | None = None,
) -> None:
    """Check that a push will be allowed; create the repository if it does not exist.

    Args:
        repo_id: "user/name".
        private: whether the repository must be private.
        token: a Hub token; by default that of `hf auth login` or HF_TOKEN.
        space_sdk: the SDK of a Space; None for a model repository.

    Raises:
        InputError: the id is malformed, or a private repository is requested and it is public.
        HubError: there is no token, or it is invalid or may not write there, or the Hub is unavailable.
    """
    check_id(repo_id)
    api, repo_type = HfApi(token=token), "space" if space_sdk else "model"

    def check(_: object) -> None:
        retry_once(api.whoami)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        # None leaves the choice to the owner, as an organisation may make repositories private by default.
        visibility = private or None
        retry_once(
            api.create_repo, repo_id, private=visibility, exist_ok=True, repo_type=repo_type, space_sdk=space_sdk
        )
        if private and retry_once(api.repo_info, repo_id, repo_type=repo_type).private is False:
            raise InputError(f"{repo_id} is public.", remedy="Make it private in its settings, or choose another name.")
        # Asking how to upload a file requires the right to write and changes nothing.
        probe = [CommitOperationAdd(CARD_FILE, b"probe")]
        retry_once(api.preupload_lfs_files, repo_id, probe, repo_type=repo_type)

    with translate_errors(repo_id):
        stop_when_silent(check)


def push(
    folder: str | Path,
    repo_id: str,
    private: bool = False,
    overwrite_card: bool = False,
    token: str | None = None,
    allow_regression: bool = False,
) -> PushedRepo:
    """Push a model repository to main in one commit, and tag it with the time.

    The commit also deletes files of an earlier push that this repository lacks. Other files on the Hub are kept, and so
    is a card that was edited there. The upload itself has no time limit.

    Args:
        folder: the model repository.
        repo_id: "user/name".
        private: create a private repository.
        overwrite_card: replace a card that was edited on the Hub.
        token: a Hub token; by default that of `hf auth login` or HF_TOKEN.
        allow_regression: push although scores on the same data are lower than those of the last tag.

    Raises:
        InputError: the folder is not a valid model repository, links to files outside, has lower scores than the last
            tag, or the push failed. The message then contains the command that pushes again.
    """
    folder = Path(folder)
    check_id(repo_id)
    repository = ModelRepository(folder)
    repository.validate()
    if not repository.card.is_file():
        raise InputError(f"{repository.card} is missing.", remedy="Restore the model card that train.py wrote.")
    _check_links(repository)
    try:
        with translate_errors(repo_id):
            check_push(repo_id, private, token)
            return _push(HfApi(token=token), repository, repo_id, overwrite_card, allow_regression)
    except InputError as error:
        flags = {
            "--private": private,
            "--overwrite-card": overwrite_card,
            "--allow-regression": allow_regression,
        }
        command = ["hairseg", "hub", "push", str(folder), repo_id, *(flag for flag, given in flags.items() if given)]
        remedy = f"{error.remedy} Then push {folder} again with `{shlex.join(command)}`."
        raise InputError(error.problem, remedy=remedy) from error


def _push(
    api: HfApi, repository: ModelRepository, repo_id: str, overwrite_card: bool, allow_regression: bool
) -> PushedRepo:
    if not allow_regression:
        stop_when_silent(lambda _: _check_scores(api, repository, repo_id))
    card = repository.card.read_text(encoding="utf-8")
    if is_unedited(card):
        # Render it again, as it lacks the repository's id and ONNX files that were exported later.
        card = render_card(repository.config, repository.metrics(), repo_id, repository.onnx_variants())
    files: dict[str, Path | bytes] = {name: repository.folder / name for name in repository.files()}
    files[CARD_FILE] = card.encode()
    remote_files, remote_card = stop_when_silent(lambda _: _inspect_remote(api, repo_id))
    is_edited = remote_card is not None and remote_card != card and not is_unedited(remote_card)
    card_kept = is_edited and not overwrite_card
    stale_files = {name for name in remote_files if is_repository_file(name)} - files.keys()
    if card_kept:
        del files[CARD_FILE]
    commit = commit_files(api, repo_id, files, stale_files, "Push from HairSeg")
    tag = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
    try:
        retry_once(api.create_tag, repo_id, tag=tag, revision=commit, exist_ok=True)
    except CLIENT_ERRORS as error:
        failure = explain(error, repo_id)
        raise HubError(f"The files were pushed without a tag. {failure.problem}", failure.remedy) from error
    return PushedRepo(f"{constants.ENDPOINT}/{repo_id}", commit, tag, card_kept)


def _check_links(repository: ModelRepository) -> None:
    """Refuse links to files outside, except into the Hub's cache, whose folders consist of links."""
    allowed = (repository.folder.resolve(), Path(constants.HF_HUB_CACHE).resolve())
    for name in repository.files():
        path = repository.folder / name
        if not any(path.resolve().is_relative_to(folder) for folder in allowed):
            raise InputError(f"{path} is a link to {quote(str(path.resolve()))}.", remedy="Replace it by a copy.")


def _check_scores(api: HfApi, repository: ModelRepository, repo_id: str) -> None:
    last = next(releases(api, repo_id), None)
    regressions = repository.metrics().regressions_against(last.metrics) if last else []
    if last and regressions:
        raise InputError(
            f"{repository.folder} scores worse than {repo_id}@{last.tag} ({'; '.join(regressions)}).",
            remedy="Add --allow-regression to push it anyway.",
        )


def _inspect_remote(api: HfApi, repo_id: str) -> tuple[set[str], str | None]:
    """Return the names of the files on main, and the text of the card there."""
    info = retry_once(api.model_info, repo_id, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
    names = {file.rfilename for file in info.siblings or []}
    if CARD_FILE not in names:
        return names, None
    path = Path(
        retry_once(api.hf_hub_download, repo_id, CARD_FILE, revision=info.sha)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    )
    return names, path.read_text(encoding="utf-8", errors="replace")


def commit_files(
    api: HfApi,
    repo_id: str,
    files: Mapping[str, Path | bytes],
    deleted: Iterable[str],
    message: str,
    repo_type: Literal["model", "space"] = "model",
) -> str:
    """Make one commit on main and return its hash; `upload_folder` may split a folder into several commits."""

    def commit() -> str:
        operations = [
            *(CommitOperationAdd(name, file) for name, file in files.items()),
            *(CommitOperationDelete(name) for name in sorted(deleted)),
        ]
        return api.create_commit(repo_id, operations, commit_message=message, repo_type=repo_type).oid

    return retry_once(commit)
