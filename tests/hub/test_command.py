"""`hairseg hub` against a Hub on this machine."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, draw_figaro1k, draw_portrait, served
from gradio_client import Client, handle_file
from hub.fake_hub import WRITER, FakeHub
from hub.helpers import MAX_SECONDS, REPO, contents, publish
from PIL import Image

from hairseg.cli import main
from hairseg.cli.app import invoke
from hairseg.images import alpha_to_grey
from hairseg.inference.predictor import HairPredictor
from hairseg.page.app import build_page
from hairseg.page.registry import ModelRegistry, find_models


def test_push_and_pull(server, one, tmp_path, monkeypatch, capsys):
    def command(*words: str) -> int | str | None:
        monkeypatch.setattr(sys, "argv", ["hairseg", "hub", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code

    assert command("push", str(one), REPO, "--private") == 0
    assert f"pushed: {server.url}/{REPO} (tag " in capsys.readouterr().out and server.repo(REPO).private
    assert command("pull", REPO, "--output", str(tmp_path / "out")) == 0
    assert contents(tmp_path / "out") == contents(one)
    server.put(REPO, {"README.md": b"edited"})
    assert command("push", str(one), REPO, "--private") == 0 and "--overwrite-card" in capsys.readouterr().out
    server.__exit__()
    assert command("pull", REPO) == 0 and "cached copy" in capsys.readouterr().out
    assert command("push", str(one), REPO) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "The connection to" in error and f"push {one} {REPO}" in error


@pytest.mark.slow
def test_a_trained_repository_is_pushed_pulled_and_served(server, tmp_path, capsys):
    data, photo = draw_figaro1k(tmp_path / "Figaro1k", [1, 2, 3, 4], [500]), draw_portrait(3)[0]
    words = ["--backbone", "efficientnet_lite0", "--init", "random", "--epochs", "1", "--image-size", "64"]
    words += ["--device", "cpu", "--output", str(tmp_path / "run"), "--push-to", REPO, "--private"]
    assert invoke(["train", "--data", str(data), *words]) == 0
    assert f"pushed: {server.url}/{REPO} (tag " in capsys.readouterr().out and server.repo(REPO).private
    expected = HairPredictor(tmp_path / "run").alphas(photo)
    models, notices = find_models([REPO])
    assert [model.name for model in models] == [REPO] and not notices
    pulled = HairPredictor(models[0].repository.folder)
    assert all(np.array_equal(alpha, expected[variant]) for variant, alpha in pulled.alphas(photo).items())
    Image.fromarray(photo).save(tmp_path / "photo.png")
    with served(build_page(ModelRegistry(models, load=lambda model: pulled))) as url:
        client = Client(url, verbose=False, download_files=str(tmp_path / "masks"))
        masks = client.predict(handle_file(tmp_path / "photo.png"), api_name="/segment")
    for mask, variant in zip(masks, ("random", "pretrained"), strict=False):
        assert np.array_equal(np.asarray(Image.open(mask)), alpha_to_grey(expected[variant]))


def test_a_hub_that_never_answers_ends_with_one_line(tmp_path):
    with FakeHub(tmp_path / "hub") as silent:
        silent.faults.add("stall")
        environment = {
            "HF_ENDPOINT": silent.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_TOKEN": WRITER,
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "hairseg", "hub", "pull", REPO],
            cwd=PROJECT,
            text=True,
            timeout=MAX_SECONDS,
            capture_output=True,
            env={**os.environ, **environment},
        )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "did not answer in time" in done.stderr


def test_export_pulls_a_repository_from_the_hub(server, one, tmp_path, monkeypatch, capsys):
    publish(server, one)
    exported = []
    monkeypatch.setattr("hairseg.repository.export.check_packages", lambda: None)
    monkeypatch.setattr(
        "hairseg.repository.export.export_onnx", lambda folder: exported.append(folder) or [folder / "model.onnx"]
    )
    monkeypatch.chdir(tmp_path)
    for words, folder in (
        ([REPO], tmp_path / "hair"),
        ([REPO, "--output", "mine"], tmp_path / "mine"),
        ([str(one)], one),
    ):
        assert invoke(["hub", "export", *words]) == 0
        assert exported.pop() == folder and contents(folder) == contents(one)
        assert capsys.readouterr().out == f"exported: {folder / 'model.onnx'}\n"


def test_secrets_come_from_the_environment_or_the_command_line(monkeypatch):
    deployed = {}

    def deploy(space, repos, private, **options):
        deployed.update(options, repos=repos)
        raise KeyboardInterrupt

    monkeypatch.setattr("hairseg.hub.space.space", deploy)
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    with pytest.raises(KeyboardInterrupt):
        invoke(["hub", "space", "--secret", "HF_TOKEN", "ada/page", "--secret", "GREETING=a=b", "--repo", "a/b", "a/c"])
    assert deployed["secrets"] == {"HF_TOKEN": "hf_x", "GREETING": "a=b"} and deployed["repos"] == ["a/b", "a/c"]
