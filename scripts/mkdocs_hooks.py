"""MkDocs hooks: add the pages and pictures that lie outside of docs/, and the command line reference.

Links between files also work on GitHub, from docs/ (`../assets/page.jpg`) and from the root (`docs/hub.md`). On the
site all paths are relative to the same root, so the hooks remove these prefixes.
"""

import re
import subprocess
import sys
import textwrap
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
    """Remove the YAML block that configures a Hugging Face Space."""
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)


def command_line_reference() -> str:
    """Render the help of every command of `hairseg` as Markdown, with its examples as code.

    The lists of commands are left out, since Typer cuts their descriptions to 45 characters.
    """
    command = [sys.executable, "-m", "typer", "hairseg.cli.app", "utils", "docs", "--name", "hairseg"]
    output = subprocess.run([*command, "--title", "Commands"], cwd=PROJECT, check=True, stdout=subprocess.PIPE).stdout
    text = output.decode().replace("\b\n", "")  # Click's mark for paragraphs that it must not wrap
    text = re.sub(r"^\*\*Commands\*\*:\n\n(?:\* .*\n)+\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^Examples?:\n((?:  .*\n)+)", examples_as_code, text, flags=re.MULTILINE)


def examples_as_code(match: re.Match[str]) -> str:
    """Turn the indented lines of an "Examples:" section into a code block."""
    return f"**Examples**:\n\n```sh\n{textwrap.dedent(match[1])}```\n"
