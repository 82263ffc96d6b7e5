"""What an owner lists is served as far as it can be had, under names that tell nothing of the server."""

import json
import shutil

import pytest
from conftest import write_repository

from hairseg.errors import InputError
from hairseg.hub import resolve as resolution
from hairseg.hub.errors import HubError
from hairseg.hub.resolve import ResolvedRepo, default_repos
from hairseg.page.layout import build_page
from hairseg.page.listed import find_models
from hairseg.page.models import Models
from hairseg.repository import BUNDLED

REASON = "The Hub did not answer in time."


@pytest.fixture
def hub(monkeypatch):
    """A Hub that has ada/hair alone, the bundled pair; `silent` ids get no answer, `cached` ones a copy."""
    genuine = resolution.resolve

    def resolve(repo):
        repo_id = repo.partition("@")[0]
        if repo_id == "ada/silent":
            raise HubError(f"{repo} is not in the cache. {REASON}", "Try again.", is_unavailable=True)
        if repo_id in ("ada/hair", "ada/cached"):
            return ResolvedRepo(BUNDLED, repo_id, "0123456789" * 4, REASON if repo_id == "ada/cached" else None)
        return genuine(repo)

    monkeypatch.setattr("hairseg.hub.resolve.resolve", resolve)


def shown(listed, notices) -> str:
    return json.dumps(build_page(Models(listed, load=lambda model: None), notices).get_config_file(), default=str)


def test_without_a_list_the_bundled_pair_is_served(monkeypatch):
    monkeypatch.delenv("HAIRSEG_REPO", raising=False)
    (model,), notices = find_models()
    assert (model.name, model.source, model.repository.folder, notices) == ("bundled", None, BUNDLED, [])


def test_a_silent_hub_leaves_the_page_with_the_bundled_weights_and_a_note(hub):
    (model,), (notice,) = find_models(["ada/silent"])
    assert model.source is None
    assert notice.startswith(f"the bundled weights are shown, because ada/silent is not in the cache. {REASON}")
    assert notice in shown([model], [notice])


def test_a_cached_copy_is_named_with_its_revision(hub):
    (model,), (notice,) = find_models(["ada/cached"])
    assert notice == f"the weights are a cached copy of ada/cached: {REASON}"
    page = shown([model], [notice])
    assert notice in page and "ada/cached at 0123456" in page and model.source.url in page


def test_one_that_cannot_be_had_is_named_and_does_not_stop_the_others(hub, tmp_path):
    write_repository(tmp_path / "good")
    write_repository(tmp_path / "half", ("pretrained",))
    shutil.copytree(tmp_path / "good", tmp_path / "cut")
    (tmp_path / "cut" / "config.json").write_text("{")
    broken = [str(tmp_path / name) for name in ("half", "cut", f"{'deep' * 20}/missing")]  # a message shortens that one
    listed, notices = find_models([str(tmp_path / "good"), *broken, "ada/silent", "ada/hair@v2"])
    assert [model.name for model in listed] == ["good", "ada/hair@v2"]
    assert [notice.partition(", because ")[0] for notice in notices] == [
        f"the model {name} is not served" for name in ("half", "cut", "missing", "ada/silent")
    ]
    assert notices[0].endswith(", because half has no 'random' variant: expected one of pretrained.")
    assert str(tmp_path)[:20] not in "".join(notices) and notices[0] in shown(listed, notices)


def test_the_first_one_must_be_a_whole_repository(hub, tmp_path):
    write_repository(tmp_path / "cut")
    (tmp_path / "cut" / "random" / "model.safetensors").unlink()
    for first, problem in [
        ("no/such/folder", "'no/such/folder' is neither a folder nor a Hub id"),
        (str(tmp_path), "config.json is missing"),
        (str(tmp_path / "cut"), "model.safetensors is missing"),
    ]:
        with pytest.raises(InputError, match=problem):
            find_models([first, "ada/hair"])


def test_names_are_no_longer_than_tells_folders_apart(hub, tmp_path, monkeypatch):
    for name in ("a/best", "b/best", "b/other"):
        write_repository(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert [model.name for model in find_models(["b/other", "a/best", f"{tmp_path}/b/../a/best"])[0]] == [
        "other",
        "best",
    ]
    listed, _ = find_models(["b/best", "a/best", "ada/silent", "ada/hair", "ada/hair@v1"])
    assert [model.name for model in listed] == ["b/best", "a/best", "ada/hair", "ada/hair@v1"]
    assert [model.repository.folder.name for model in listed[:2]] == ["best", "best"]


def test_the_environment_names_several_separated_by_spaces(tmp_path, monkeypatch):
    (tmp_path / "my models").mkdir()
    for value, repos in {
        "ada/hair": ["ada/hair"],
        " ada/hair@v1  runs/x ": ["ada/hair@v1", "runs/x"],
        "'my models' ada/hair": ["my models", "ada/hair"],
        f"{tmp_path}/my models": [f"{tmp_path}/my models"],
        "": [str(BUNDLED)],
    }.items():
        monkeypatch.setenv("HAIRSEG_REPO", value)
        assert default_repos() == repos
    monkeypatch.setenv("HAIRSEG_REPO", "'my models")
    with pytest.raises(InputError, match="Close every quote"):
        default_repos()
