"""Deployment of a Space."""

import re
import sys

import pytest
from hub.fake_hub import READER
from hub.helpers import REPO, assert_fails, publish
from huggingface_hub import SpaceCard

from hairseg.cli import main
from hairseg.hub import space as deploying
from hairseg.hub.publish import push
from hairseg.hub.space import DeployedSpace, space
from hairseg.page.registry import find_models


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    for name in (
        "app.py",
        "LICENSE",
        "requirements.txt",
        "train.py",
        "hairseg/__init__.py",
        "hairseg/model.py",
        "hairseg/bundled/config.json",
        "hairseg/__pycache__/model.pyc",
        "hairseg/components.pyi",
        "runs/x/config.json",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "README.md").write_text("---\ntitle: HairSeg\nsdk: gradio\napp_file: app.py\n---\n# HairSeg\n")
    monkeypatch.setattr(deploying, "PROJECT", root)
    return root


def test_space_is_created_and_updated(server, one, project):
    publish(server, one)
    assert space("ada/hair-page", [REPO]) == DeployedSpace(f"{server.url}/spaces/ada/hair-page", [])
    made = server.repo("ada/hair-page", "spaces")
    assert made.sdk == "gradio" and made.variables["HAIRSEG_REPO"]["value"] == REPO
    assert made.secrets == {} and made.hardware is None
    files = server.files("ada/hair-page", kind="spaces")
    assert files.keys() == {
        ".gitattributes",
        "README.md",
        "LICENSE",
        "app.py",
        "requirements.txt",
        "hairseg/__init__.py",
        "hairseg/model.py",
        "hairseg/bundled/config.json",
    }
    (project / "hairseg" / "model.py").rename(project / "hairseg" / "network.py")
    space("ada/hair-page", [f"{REPO}@main"])
    files = server.files("ada/hair-page", kind="spaces")
    assert "hairseg/network.py" in files and "hairseg/model.py" not in files
    assert server.repo("ada/hair-page", "spaces").variables["HAIRSEG_REPO"]["value"] == f"{REPO}@main"


def test_space_mistakes(server, one, project, monkeypatch):
    assert_fails(lambda: space("ada/page", ["ada/nothing"]), "has no repository ada/nothing")
    publish(server, one)
    assert_fails(lambda: space("ada/page", [f"{REPO}@v9"]), "no revision 'v9'")
    assert_fails(lambda: space("page", [REPO]), "'page'")
    assert_fails(lambda: space("bob/page", [REPO]), "may not write to bob/page")
    monkeypatch.setenv("HF_TOKEN", READER)
    assert_fails(lambda: space("ada/page", [REPO]), "may not write to ada/page")
    (project / "app.py").unlink()
    assert_fails(lambda: space("ada/page", [REPO]), "app.py")
    assert ("spaces", "ada/page") not in server.repos


def test_space_metadata(server, one, project):
    commit = publish(server, one)
    space("ada/page", [REPO])
    card = SpaceCard(server.files("ada/page", kind="spaces")["README.md"].decode())
    files = "config.json,metrics.json,pretrained/history.json,pretrained/model.safetensors"
    assert card.data.to_dict() == {
        "title": "HairSeg",
        "sdk": "gradio",
        "app_file": "app.py",
        "models": [REPO],
        "suggested_hardware": "cpu-basic",
        "thumbnail": f"{server.url}/spaces/ada/page/resolve/main/assets/page.jpg",
        "preload_from_hub": [f"{REPO} {files}"],
    }
    assert "# HairSeg" in card.text
    space("ada/page", [f"{REPO}@{commit[:8]}"])
    card = SpaceCard(server.files("ada/page", kind="spaces")["README.md"].decode())
    assert card.data.to_dict()["preload_from_hub"] == [f"{REPO} {files} {commit}"]


def test_a_space_of_several_models(server, both, project, monkeypatch, capsys):
    first, second = f"{REPO}@{publish(server, both)[:8]}", "ada/darker"
    push(both, second, private=True)
    monkeypatch.setattr(sys, "argv", ["hairseg", "hub", "space", "ada/page", "--repo", first, second, REPO])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert "ada/darker is private" in (said := capsys.readouterr().out) and f"{REPO} is private" not in said
    made = server.repo("ada/page", "spaces")
    monkeypatch.setenv("HAIRSEG_REPO", made.variables["HAIRSEG_REPO"]["value"])
    models, notices = find_models()
    assert [model.name for model in models] == [first, second, REPO] and notices == []
    settings = SpaceCard(server.files("ada/page", kind="spaces")["README.md"].decode()).data
    assert settings.models == [REPO, second]
    assert [line.split()[0] for line in settings.preload_from_hub] == [REPO, REPO]  # not the private one
    assert_fails(lambda: space("ada/other", [REPO, "ada/nothing", second]), "has no repository ada/nothing")
    assert ("spaces", "ada/other") not in server.repos


def test_hardware_and_secrets_are_passed_on(server, one, project, monkeypatch, capsys):
    push(one, REPO, private=True)

    def command(*options: str) -> int | None:
        monkeypatch.setattr(sys, "argv", ["hairseg", "hub", "space", "ada/page", "--repo", REPO, *options])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code

    assert command() == 0 and "HF_TOKEN" in capsys.readouterr().out
    assert "preload_from_hub" not in server.files("ada/page", kind="spaces")["README.md"].decode()
    monkeypatch.setenv("GREETING", "hello")
    assert command("--hardware", "t4-small", "--secret", "HF_TOKEN=hf_x", "--secret", "GREETING") == 0
    made = server.repo("ada/page", "spaces")
    assert made.hardware == "t4-small" and made.secrets == {"HF_TOKEN": "hf_x", "GREETING": "hello"}
    assert "HF_TOKEN" not in capsys.readouterr().out
    assert command("--hardware", "abacus") == 2 and "'abacus' is unknown. Choose one of" in capsys.readouterr().err
    assert command("--secret", "NOWHERE") == 2 and "'NOWHERE' has no value" in capsys.readouterr().err


def test_a_docker_space_gets_all_files_that_its_dockerfile_copies(server, one, monkeypatch):
    publish(server, one)
    monkeypatch.setattr(
        sys, "argv", ["hairseg", "hub", "space", "ada/page", "--repo", REPO, "--docker", "--hardware", "cpu-basic"]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    made, files = server.repo("ada/page", "spaces"), server.files("ada/page", kind="spaces")
    assert made.sdk == "docker" and made.variables["HAIRSEG_REPO"]["value"] == REPO
    metadata = SpaceCard(files["README.md"].decode()).data.to_dict()
    assert metadata["sdk"] == "docker" and metadata["app_port"] == 7860
    assert metadata.keys().isdisjoint({"sdk_version", "python_version", "app_file", "preload_from_hub"})
    dockerfile = files["Dockerfile"].decode()
    assert "EXPOSE 7860" in dockerfile and "USER 1000" in dockerfile
    for name in re.findall(r"^!(.+)$", files[".dockerignore"].decode(), re.MULTILINE):
        assert name in files or any(file.startswith(f"{name}/") for file in files), name
    assert "hairseg/bundled/pretrained/model.safetensors" in files


def test_a_docker_space_needs_a_checkout(server, one, project):
    publish(server, one)
    assert_fails(lambda: space("ada/page", [REPO], sdk="docker"), "Dockerfile is missing", "checkout")
