"""Deploy the Space that shows model repositories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi, ModelInfo, SpaceCard, SpaceHardware, constants

from hairseg.errors import InputError, raise_if_unknown
from hairseg.hub.errors import retry_once, translate_errors
from hairseg.hub.publish import check_id, check_push, commit_files
from hairseg.hub.resolve import parse_repo_id
from hairseg.repository.repository import CARD_FILE, SERVING_FILES

PROJECT = Path(__file__).parents[2]

# 2 cores and 16 GB, which are enough for the page.
SUGGESTED_HARDWARE = "cpu-basic"

PREVIEW = "assets/page.jpg"

REQUIRED_FILES = {
    "gradio": [CARD_FILE, "requirements.txt", "app.py"],
    "docker": [CARD_FILE, "Dockerfile", ".dockerignore", "pyproject.toml", "model_card.md"],
}

OTHER_FILES = ["LICENSE", "assets/**/*", "hairseg/**/*"]

DOCKER_METADATA = {
    "sdk": "docker",
    "app_port": 7860,
    **dict.fromkeys(("sdk_version", "python_version", "app_file")),  # only Gradio Spaces have these
    "preload_from_hub": None,  # the image does not contain the Hub's cache
}


@dataclass(frozen=True)
class DeployedSpace:
    """The result of a deployment.

    Attributes:
        url: the Space's page on the Hub.
        need_token: private model repositories, which the Space can read only with a secret HF_TOKEN.
    """

    url: str
    need_token: list[str]


def space(
    space_id: str,
    repos: Sequence[str],
    private: bool = False,
    token: str | None = None,
    hardware: str | None = None,
    secrets: Mapping[str, str] | None = None,
    sdk: Literal["gradio", "docker"] = "gradio",
) -> DeployedSpace:
    """Create or update the Space that shows model repositories, from the files of this project.

    Args:
        space_id: "user/name" of the Space.
        repos: "user/name" or "user/name@revision" of each model repository. They become the Space's variable
            HAIRSEG_REPO; the page shows the first one first.
        private: create a private Space.
        token: a Hub token; by default that of `hf auth login` or HF_TOKEN.
        hardware: the Hub's name of the hardware, such as "cpu-basic" or "t4-small"; unchanged by default.
        secrets: the Space's secrets by name, such as HF_TOKEN.
        sdk: "gradio", which ZeroGPU requires; or "docker", which builds the project's Dockerfile.

    Raises:
        InputError: an id is malformed, the hardware is unknown, or a file of the project is missing.
        HubError: a model repository is not accessible, the token may not write, or the Hub is unavailable.
    """
    check_id(space_id)
    ids = [parse_repo_id(repo) for repo in repos]
    files: dict[str, Path | bytes] = {**space_files(sdk)}
    for name in REQUIRED_FILES[sdk]:
        if name not in files:
            raise InputError(f"{PROJECT / name} is missing.", remedy="Run this from a checkout of the project.")
    if hardware:
        raise_if_unknown("Hardware", hardware, [item.value for item in SpaceHardware])
    api, secrets, timeout = HfApi(token=token), secrets or {}, constants.HF_HUB_DOWNLOAD_TIMEOUT
    models: list[tuple[str, str, ModelInfo]] = []
    for repo_id, revision in ids:
        with translate_errors(repo_id, revision):
            info = retry_once(api.model_info, repo_id, revision=revision, timeout=timeout)
        models.append((repo_id, revision, info))
    files[CARD_FILE] = _render_space_card(space_id, models, sdk)
    check_push(space_id, private, token, sdk)
    with translate_errors(space_id):
        remote_files = {file.rfilename for file in api.space_info(space_id).siblings or []}
        stale_files = {name for name in remote_files if name.startswith("hairseg/")} - files.keys()
        api.add_space_variable(space_id, "HAIRSEG_REPO", " ".join(repos))
        for name, value in secrets.items():
            api.add_space_secret(space_id, name, value)
        commit_files(api, space_id, files, stale_files, "Deploy HairSeg", "space")
        if hardware:
            api.request_space_hardware(space_id, SpaceHardware(hardware))
    need_token = [repo_id for repo_id, _, info in models if info.private and "HF_TOKEN" not in secrets]
    return DeployedSpace(f"{constants.ENDPOINT}/spaces/{space_id}", need_token)


def space_files(sdk: Literal["gradio", "docker"] = "gradio") -> dict[str, Path]:
    """Return the files of a Space by name: this version of the code, without what Python and Gradio generate."""
    return {
        path.relative_to(PROJECT).as_posix(): path
        for pattern in REQUIRED_FILES[sdk] + OTHER_FILES
        for path in PROJECT.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyi"
    }


def _render_space_card(
    space_id: str, models: Sequence[tuple[str, str, ModelInfo]], sdk: Literal["gradio", "docker"]
) -> bytes:
    """Render the Space's README.md: the project's, with the models and the files to preload in its metadata.

    Args:
        space_id: "user/name" of the Space.
        models: id, revision and the Hub's information of each model repository.
        sdk: "gradio" or "docker".
    """
    card = SpaceCard((PROJECT / CARD_FILE).read_text(encoding="utf-8"), ignore_metadata_errors=False)
    metadata = {
        "models": list(dict.fromkeys(repo_id for repo_id, _, _ in models)),
        "suggested_hardware": SUGGESTED_HARDWARE,
        "thumbnail": f"{constants.ENDPOINT}/spaces/{space_id}/resolve/main/{PREVIEW}",
        # The build of a Space has no secrets, so it cannot read private repositories.
        "preload_from_hub": [_preload_entry(*model) for model in models if not model[2].private],
    }
    if sdk == "docker":
        metadata |= DOCKER_METADATA
    for name, value in metadata.items():
        setattr(card.data, name, value or None)  # None is not written
    return str(card).encode()


def _preload_entry(repo_id: str, revision: str, info: ModelInfo) -> str:
    files = sorted({file.rfilename for file in info.siblings or []} & set(SERVING_FILES))
    entry = f"{repo_id} {','.join(files)}"
    return entry if revision == "main" else f"{entry} {info.sha or revision}"
