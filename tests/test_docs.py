"""The documentation matches the package: generated pages, code examples, commands, links."""

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from conftest import PROJECT

sys.path.insert(0, str(PROJECT / "scripts"))

from generate_docs import generate, replace_section

from hairseg.cli.app import app
from hairseg.hub.card import render_card
from hairseg.networks.backbones import BACKBONES
from hairseg.recolouring.palette import PRESETS
from hairseg.repository import BUNDLED, ModelRepository
from hairseg.training.recipes import RECIPES

README = PROJECT / "README.md"
PORTRAIT = PROJECT / "hairseg" / "page" / "examples" / "astronaut.jpg"
ROOT_PAGES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES = [*ROOT_PAGES, *sorted((PROJECT / "docs").rglob("*.md"))]


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    return [line for block in code_blocks(page, "sh") for line in block.splitlines() if line.startswith("hairseg ")]


def test_generating_again_changes_nothing():
    for path, text in generate().items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date; run scripts/generate_docs.py"


def test_a_missing_section_is_an_error():
    assert (
        replace_section("<!-- a: x -->\nold\n<!-- end of a -->", "a", "new\n")
        == "<!-- a: x -->\nnew\n<!-- end of a -->"
    )
    with pytest.raises(ValueError, match="0 times"):
        replace_section("no section", "a", "new")


def test_the_bundled_card_is_rendered_from_its_config_and_metrics():
    repository = ModelRepository(BUNDLED)
    assert (BUNDLED / "README.md").read_text() == render_card(repository.config, repository.metrics())


def test_the_readme_is_short_and_has_the_front_matter_of_a_space():
    text = README.read_text(encoding="utf-8")
    assert len(text.encode()) <= 8192
    assert text.startswith("---\n")
    assert "\napp_file: app.py\n" in text.split("---\n")[1]


def test_the_python_example_of_the_readme_runs(tmp_path, monkeypatch):
    (example,) = code_blocks(README, "python")
    monkeypatch.chdir(tmp_path)
    shutil.copy(PORTRAIT, "selfie.jpg")
    names: dict[str, Any] = {}
    exec(example, names)
    height, width = names["photo"].shape[:2]
    assert names["alphas"].keys() == {"pretrained", "random"}
    assert names["hair"].shape == (height, width, 4)
    change = np.abs(names["dyed"].astype(int) - names["photo"]).max(axis=2)
    assert change[names["alphas"]["pretrained"] > 0.9].mean() > 10
    assert change[names["alphas"]["pretrained"] == 0].sum() == 0


def test_the_python_example_of_the_quickstart_runs(tmp_path, monkeypatch):
    (example,) = code_blocks(PROJECT / "docs" / "quickstart.md", "python")
    monkeypatch.chdir(tmp_path)
    shutil.copy(PORTRAIT, "selfie.jpg")
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["dyed"].shape == names["photo"].shape
    assert (names["dyed"] != names["photo"]).any()


@pytest.mark.parametrize("line", sorted({line for page in PAGES for line in commands(page)}))
def test_documented_commands_are_valid(line, tmp_path, monkeypatch):
    """Parse every option and argument, without running the command."""
    monkeypatch.chdir(tmp_path)
    invoked: list[dict[str, Any]] = []
    command = typer.main.get_command(app)
    replace_callbacks(command, lambda **values: invoked.append(values))
    command.main(shlex.split(line)[1:], "hairseg", standalone_mode=False)
    assert len(invoked) == 1


def replace_callbacks(command: Any, callback: Any) -> None:
    for sub_command in command.commands.values():
        if hasattr(sub_command, "commands"):
            replace_callbacks(sub_command, callback)
        else:
            sub_command.callback = callback


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        if target != "reference/cli.md":  # exists on the site only
            assert (page.parent / target).exists(), target


def test_the_modules_in_contributing_exist():
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    layout = text.split("\n## Layout\n")[1].split("\n## ")[0]
    modules = {
        name for cell in re.findall(r"^\| (`.*?) \|", layout, re.MULTILINE) for name in re.findall("`(.+?)`", cell)
    }
    package = PROJECT / "hairseg"
    actual = {f"{path.name}/" for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    actual |= {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    assert modules == actual
    for path in re.findall(r"`((?:hairseg|tests|benchmarks|scripts)/[\w/.]+)`", text):
        assert (PROJECT / path).exists(), path


def test_names_in_contributing_exist():
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("\n## How to add")[1]
    source = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "hairseg").rglob("*.py"))
    for name in re.findall(r"`(_?[A-Za-z]+_[A-Za-z_]+|[A-Z]+)`", text):
        assert re.search(rf"^ *(def |class )?{name}\b", source, re.MULTILINE), name


def test_all_preset_colours_backbones_and_recipes_are_documented():
    docs = PROJECT / "docs"
    assert ", ".join(PRESETS) in " ".join((docs / "command-line.md").read_text(encoding="utf-8").split())
    training = (docs / "training.md").read_text(encoding="utf-8")
    assert [name for name in (*BACKBONES, *RECIPES) if f"`{name}`" not in training] == []
