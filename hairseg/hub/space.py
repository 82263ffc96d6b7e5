"""Deploying the Space that shows model repositories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo, SpaceCard, SpaceHardware, constants

from hairseg.errors import InputError, quote
from hairseg.hub.errors import FAILURES, explain, retry_once
from hairseg.hub.publish import UPLOAD_PATIENCE, check_id, check_rights, commit_files
from hairseg.hub.snapshots import parse_id
from hairseg.hub.timeouts import deadline
from hairseg.repository.repository import CARD_FILE, SERVING_FILES

PROJECT = Path(__file__).parents[2]

SUGGESTED_HARDWARE = "cpu-basic"  # 2 cores and 16 GB, on which the page answers within seconds

PREVIEW = "assets/page.jpg"

SPACE = [CARD_FILE, "LICENSE", "requirements.txt", "app.py", "assets/**/*", "hairseg/**/*"]


@dataclass(frozen=True)
class DeployedSpace:
    url: str
    need_token: list[str]  # model repositories that are private: the Space reads them with a secret HF_TOKEN only


def space(
    space_id: str,
    repos: Sequence[str],
    private: bool = False,
    token: str | None = None,
    hardware: str | None = None,
    secrets: Mapping[str, str] | None = None,
) -> DeployedSpace:
    """Create or update the Gradio Space that shows model repositories, from the files of this project.

    Args:
        space_id: "user/name" of the Space.
        repos: "user/name[@revision]" of each; become HAIRSEG_REPO in the Space's settings, the first is shown first.
        private: of a Space that does not exist yet.
        token: of the Hub; by default the one that its client finds.
        hardware: what the Space shall run on, by the Hub's name for it ("cpu-basic", "t4-small"); as it is by default.
        secrets: the Space's secrets by name, such as HF_TOKEN.

    Raises:
        InputError: malformed ids, no such hardware, a file of the project is missing, or as `check_push` and `resolve`.
    """
    check_id(space_id)
    ids = [parse_id(repo) for repo in repos]
    files: dict[str, Path | bytes] = {**space_files()}
    for name in (CARD_FILE, "requirements.txt", "app.py"):
        if name not in files:
            raise InputError(
                f"{PROJECT / name} is missing", "HairSeg's own folder", "run this from a checkout of the project"
            )
    known_hardware = [kind.value for kind in SpaceHardware]
    if hardware is not None and hardware not in known_hardware:
        raise InputError(f"the hardware {quote(hardware)} is not known", f"one of {', '.join(known_hardware)}")
    api, subject, revision = HfApi(token=token), space_id, "main"
    try:
        with deadline(UPLOAD_PATIENCE):
            models = []
            for subject, revision in ids:
                info = retry_once(lambda name=subject, at=revision: api.model_info(name, revision=at))
                models.append((subject, revision, info))
            subject, revision = space_id, "main"
            files[CARD_FILE] = _space_card(space_id, models)
            check_rights(api, space_id, private, "space", "gradio")
            remote = {sibling.rfilename for sibling in retry_once(lambda: api.space_info(space_id)).siblings or []}
            surplus = {path for path in remote if path.startswith("hairseg/")} - files.keys()
            retry_once(lambda: api.add_space_variable(space_id, "HAIRSEG_REPO", " ".join(repos)))
            for name, value in (secrets or {}).items():
                retry_once(lambda name=name, value=value: api.add_space_secret(space_id, name, value))
            commit_files(api, space_id, files, surplus, "Deploy HairSeg", "space")
            if hardware:
                retry_once(lambda: api.request_space_hardware(space_id, SpaceHardware(hardware)))
    except InputError:
        raise
    except FAILURES as error:
        raise explain(error, subject, revision) from error
    closed = [repo_id for repo_id, _, model in models if model.private and "HF_TOKEN" not in (secrets or {})]
    return DeployedSpace(f"{constants.ENDPOINT}/spaces/{space_id}", closed)


def space_files() -> dict[str, Path]:
    """What a Space consists of: this version of the code, without what Python and Gradio write beside it."""
    return {
        path.relative_to(PROJECT).as_posix(): path
        for pattern in SPACE
        for path in PROJECT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyi"
    }


def _space_card(space_id: str, models: Sequence[tuple[str, str, ModelInfo]]) -> bytes:
    """The project's README; its metadata name the models, and what of them the Space's build shall fetch.

    Args:
        models: id, revision and what the Hub says of each.
    """
    card = SpaceCard((PROJECT / CARD_FILE).read_text(encoding="utf-8"), ignore_metadata_errors=False)
    settings = {
        "models": list(dict.fromkeys(repo_id for repo_id, _, _ in models)),
        "suggested_hardware": SUGGESTED_HARDWARE,
        "thumbnail": f"{constants.ENDPOINT}/spaces/{space_id}/resolve/main/{PREVIEW}",
        "preload_from_hub": [_preload(*model) for model in models if not model[2].private],  # a build has no secrets
    }
    for name, value in settings.items():
        if value:
            setattr(card.data, name, value)
    return str(card).encode()


def _preload(repo_id: str, revision: str, model: ModelInfo) -> str:
    needed = sorted({sibling.rfilename for sibling in model.siblings or []} & set(SERVING_FILES))
    return " ".join([repo_id, ",".join(needed), *([model.sha or revision] if revision != "main" else [])])
