"""MkDocs hooks: add the pages and pictures that lie outside of docs/, and the command line reference.

The files in docs/ link to others by paths that also work on GitHub (`../assets/page.jpg`, `docs/hub.md`). On the site all
paths are relative to the same root, so the hooks remove those prefixes.
"""

import re
import subprocess
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).parents[1]

PAGES = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code_of_conduct.md",
}
PICTURES = ("assets/*.jpg", "assets/*.png", "hairseg/bundled/figures/*.png")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures of the project's root, and the command line reference."""
    for source, uri in PAGES.items():
        text = (PROJECT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=without_front_matter(text)))
    for path in sorted(path for pattern in PICTURES for path in PROJECT.glob(pattern)):
        uri = path.relative_to(PROJECT).as_posix()
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    files.append(File.generated(config, "reference/cli.md", content=command_line_reference()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links between files of the repository as links between pages of the site."""
    markdown = re.sub(r"\]\((?:\.\./|docs/)", "](", markdown)
    for source, uri in PAGES.items():
        markdown = markdown.replace(f"]({source}", f"]({uri}")
    return markdown


def without_front_matter(text: str) -> str:
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)


def command_line_reference() -> str:
    """Render the help of every command of `hairseg` as Markdown."""
    command = [sys.executable, "-m", "typer", "hairseg.cli.app", "utils", "docs", "--name", "hairseg", "--title", "Commands"]
    return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
