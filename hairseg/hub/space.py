"""Deploying the Space that shows a model repository."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo, SpaceCard, SpaceHardware, constants

from hairseg.errors import InputError, quote
from hairseg.hub.failures import FAILURES, explain, retry_once
from hairseg.hub.publish import UPLOAD_PATIENCE, check_id, check_rights, commit_files
from hairseg.hub.snapshots import parse_id
from hairseg.hub.timeouts import deadline
from hairseg.repository import CARD, NEEDED

PROJECT = Path(__file__).parents[2]

SUGGESTED_HARDWARE = "cpu-basic"  # 2 cores and 16 GB, on which the page answers within seconds

PREVIEW = "assets/page.jpg"

SPACE = [CARD, "LICENSE", "requirements.txt", "app.py", "assets/**/*", "hairseg/**/*"]


@dataclass(frozen=True)
class Deployed:
    url: str
    needs_token: bool  # the model repository is private: the Space reads it with a secret HF_TOKEN only


def space(
    space_id: str,
    repo: str,
    private: bool = False,
    token: str | None = None,
    hardware: str | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Deployed:
    """Create or update the Gradio Space that shows a repository, from the files of this project.

    Args:
        space_id: "user/name" of the Space.
        repo: "user/name[@revision]" of the model repository; becomes HAIRSEG_REPO in the Space's settings.
        private: of a Space that does not exist yet.
        token: of the Hub; by default the one that its client finds.
        hardware: what the Space shall run on, by the Hub's name for it ("cpu-basic", "t4-small"); as it is by default.
        secrets: the Space's secrets by name, such as HF_TOKEN.

    Raises:
        InputError: malformed ids, no such hardware, a file of the project is missing, or as `check_push` and `resolve`.
    """
    check_id(space_id)
    repo_id, revision = parse_id(repo)
    files: dict[str, Path | bytes] = {**space_files()}
    for name in (CARD, "requirements.txt", "app.py"):
        if name not in files:
            raise InputError(
                f"{PROJECT / name} is missing", "HairSeg's own folder", "run this from a checkout of the project"
            )
    known_hardware = [kind.value for kind in SpaceHardware]
    if hardware is not None and hardware not in known_hardware:
        raise InputError(f"the hardware {quote(hardware)} is not known", f"one of {', '.join(known_hardware)}")
    api, subject = HfApi(token=token), repo_id
    try:
        with deadline(UPLOAD_PATIENCE):
            model = retry_once(lambda: api.model_info(repo_id, revision=revision))
            files[CARD] = _space_card(space_id, repo_id, revision, model)
            subject, revision = space_id, "main"
            check_rights(api, space_id, private, "space", "gradio")
            remote = {sibling.rfilename for sibling in retry_once(lambda: api.space_info(space_id)).siblings or []}
            surplus = {path for path in remote if path.startswith("hairseg/")} - files.keys()
            retry_once(lambda: api.add_space_variable(space_id, "HAIRSEG_REPO", repo))
            for name, value in (secrets or {}).items():
                retry_once(lambda name=name, value=value: api.add_space_secret(space_id, name, value))
            commit_files(api, space_id, files, surplus, "Deploy HairSeg", "space")
            if hardware:
                retry_once(lambda: api.request_space_hardware(space_id, SpaceHardware(hardware)))
    except InputError:
        raise
    except FAILURES as error:
        raise explain(error, subject, revision) from error
    needs_token = bool(model.private) and "HF_TOKEN" not in (secrets or {})
    return Deployed(f"{constants.ENDPOINT}/spaces/{space_id}", needs_token)


def space_files() -> dict[str, Path]:
    """What a Space consists of: this version of the code, without what Python and Gradio write beside it."""
    return {
        path.relative_to(PROJECT).as_posix(): path
        for pattern in SPACE
        for path in PROJECT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyi"
    }


def _space_card(space_id: str, repo_id: str, revision: str, model: ModelInfo) -> bytes:
    """The project's README; its metadata name the model, and what of it the Space's build shall fetch."""
    card = SpaceCard((PROJECT / CARD).read_text(encoding="utf-8"), ignore_metadata_errors=False)
    settings = {
        "models": [repo_id],
        "suggested_hardware": SUGGESTED_HARDWARE,
        "thumbnail": f"{constants.ENDPOINT}/spaces/{space_id}/resolve/main/{PREVIEW}",
    }
    if not model.private:  # a build has no secrets
        needed = sorted({sibling.rfilename for sibling in model.siblings or []} & set(NEEDED))
        settings["preload_from_hub"] = [
            " ".join([repo_id, ",".join(needed), *([model.sha or revision] if revision != "main" else [])])
        ]
    for name, value in settings.items():
        setattr(card.data, name, value)
    return str(card).encode()
