"""Deploying the Space."""

import pytest
from hub_api import READER
from hub_testing import REPO, fails, publish

from hairseg.hub import space as deploying
from hairseg.hub.space import Deployed, space


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    for name in (
        "app.py",
        "requirements.txt",
        "train.py",
        "hairseg/__init__.py",
        "hairseg/model.py",
        "hairseg/bundled/config.json",
        "hairseg/__pycache__/model.pyc",
        "runs/x/config.json",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "README.md").write_text("---\ntitle: HairSeg\nsdk: gradio\napp_file: app.py\n---\n# HairSeg\n")
    monkeypatch.setattr(deploying, "PROJECT", root)
    return root


def test_space_is_created_and_updated(server, one, project):
    publish(server, one)
    assert space("ada/hair-page", REPO) == Deployed(f"{server.url}/spaces/ada/hair-page", needs_token=False)
    made = server.repo("ada/hair-page", "spaces")
    assert made.sdk == "gradio" and made.variables["HAIRSEG_REPO"]["value"] == REPO
    files = server.files("ada/hair-page", kind="spaces")
    assert files.keys() == {
        ".gitattributes",
        "README.md",
        "app.py",
        "requirements.txt",
        "hairseg/__init__.py",
        "hairseg/model.py",
        "hairseg/bundled/config.json",
    }
    (project / "hairseg" / "model.py").rename(project / "hairseg" / "network.py")
    space("ada/hair-page", f"{REPO}@main")
    files = server.files("ada/hair-page", kind="spaces")
    assert "hairseg/network.py" in files and "hairseg/model.py" not in files
    assert server.repo("ada/hair-page", "spaces").variables["HAIRSEG_REPO"]["value"] == f"{REPO}@main"


def test_space_mistakes(server, one, project, monkeypatch):
    fails(lambda: space("ada/page", "ada/nothing"), "has no repository ada/nothing")
    publish(server, one)
    fails(lambda: space("ada/page", f"{REPO}@v9"), "no revision 'v9'")
    fails(lambda: space("page", REPO), "'page'")
    fails(lambda: space("bob/page", REPO), "may not write to bob/page")
    monkeypatch.setenv("HF_TOKEN", READER)
    fails(lambda: space("ada/page", REPO), "read-only")
    (project / "app.py").unlink()
    fails(lambda: space("ada/page", REPO), "app.py")
    assert not server.exists("ada/page", "spaces")
