"""The Hub from the command line."""

import os
import subprocess
import sys

import pytest
from conftest import PROJECT
from hub.fake_hub import WRITER, FakeHub
from hub.helpers import MAX_SECONDS, REPO, contents, publish

from hairseg.cli import hub as hub_command
from hairseg.cli.common import run


def test_command_line(server, one, tmp_path, monkeypatch, capsys):
    def command(*arguments: str) -> int | None:
        monkeypatch.setattr(sys, "argv", ["hub", *arguments])
        with pytest.raises(SystemExit) as end:
            run(hub_command.main)
        return end.value.code

    assert command("push", str(one), REPO, "--private") is None
    assert f"pushed: {server.url}/{REPO} (tag " in capsys.readouterr().out and server.repo(REPO).private
    assert command("pull", REPO, "--output", str(tmp_path / "out")) is None
    assert contents(tmp_path / "out") == contents(one)
    server.put(REPO, {"README.md": b"edited"})
    assert command("push", str(one), REPO, "--private") is None and "--overwrite-card" in capsys.readouterr().out
    server.__exit__()
    assert command("pull", REPO) is None and "cached copy" in capsys.readouterr().out
    assert command("push", str(one), REPO) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "connection" in message and f"hairseg hub push {one} {REPO}" in message


def test_command_line_with_a_hub_that_never_answers(tmp_path):
    with FakeHub(tmp_path / "hub") as hub:
        hub.faults.add("stall")
        environment = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_TOKEN": WRITER,
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-m", "hairseg.cli.hub", "pull", REPO],
            cwd=PROJECT,
            text=True,
            timeout=MAX_SECONDS,
            capture_output=True,
            env={**os.environ, **environment},
        )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "did not answer in time" in done.stderr


def test_export_pulls_a_hub_id(server, one, tmp_path, monkeypatch, capsys):
    publish(server, one)
    exported = []
    monkeypatch.setattr(hub_command, "check_packages", lambda: None)
    monkeypatch.setattr(hub_command, "export_onnx", lambda folder: exported.append(folder) or [folder / "model.onnx"])
    monkeypatch.chdir(tmp_path)
    for words, folder in (
        ([REPO], tmp_path / "hair"),
        ([REPO, "--output", "mine"], tmp_path / "mine"),
        ([str(one)], one),
    ):
        monkeypatch.setattr(sys, "argv", ["hub", "export", *words, "--onnx"])
        hub_command.main()
        assert exported.pop() == folder and contents(folder) == contents(one)
        assert capsys.readouterr().out == f"exported: {folder / 'model.onnx'}\n"
