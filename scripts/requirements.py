"""Write requirements.txt from pyproject.toml.

A Space on the Hub installs requirements.txt before the other files of the project are there, so it cannot be
`-e .[page,train]`.

    python scripts/requirements.py
"""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
HEADER = "# Written by scripts/requirements.py from pyproject.toml."


def main() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [HEADER, *project["dependencies"], *extras["page"], *extras["train"]]
    (PROJECT / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
