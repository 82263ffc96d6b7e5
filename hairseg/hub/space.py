"""Deploying the Space that shows a model repository."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants

from hairseg.errors import InputError
from hairseg.hub.failures import FAILURES, explain, retry_once
from hairseg.hub.publish import UPLOAD_PATIENCE, check_id, check_rights, commit_files
from hairseg.hub.snapshots import parse_id
from hairseg.hub.timeouts import deadline

PROJECT = Path(__file__).parents[2]

SPACE = ["README.md", "requirements.txt", "app.py", "assets/**/*", "hairseg/**/*"]


@dataclass(frozen=True)
class Deployed:
    url: str
    needs_token: bool  # the model repository is private: the Space reads it with a secret HF_TOKEN only


def space(space_id: str, repo: str, private: bool = False, token: str | None = None) -> Deployed:
    """Create or update the Gradio Space that shows a repository, from the files of this project.

    Args:
        space_id: "user/name" of the Space.
        repo: "user/name[@revision]" of the model repository; becomes HAIRSEG_REPO in the Space's settings.
        private: of a Space that does not exist yet.

    Raises:
        InputError: malformed ids, a file of the project is missing, or as `check_push` and `resolve`.
    """
    check_id(space_id)
    repo_id, revision = parse_id(repo)
    files = {
        path.relative_to(PROJECT).as_posix(): path
        for pattern in SPACE
        for path in PROJECT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name in ("README.md", "requirements.txt", "app.py"):
        if name not in files:
            raise InputError(
                f"{PROJECT / name} is missing", "HairSeg's own folder", "run this from a checkout of the project"
            )
    api, subject = HfApi(token=token), repo_id
    try:
        with deadline(UPLOAD_PATIENCE):
            needs_token = bool(retry_once(lambda: api.model_info(repo_id, revision=revision)).private)
            subject, revision = space_id, "main"
            check_rights(api, space_id, private, "space", "gradio")
            remote = {sibling.rfilename for sibling in retry_once(lambda: api.space_info(space_id)).siblings or []}
            surplus = {path for path in remote if path.startswith("hairseg/")} - files.keys()
            retry_once(lambda: api.add_space_variable(space_id, "HAIRSEG_REPO", repo))
            commit_files(api, space_id, files, surplus, "Deploy HairSeg", "space")
    except InputError:
        raise
    except FAILURES as error:
        raise explain(error, subject, revision) from error
    return Deployed(f"{constants.ENDPOINT}/spaces/{space_id}", needs_token)
