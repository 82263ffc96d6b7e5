"""Generate the pages of docs/ that report measurements, and the table of results in README.md.

    python scripts/generate_docs.py            write the files
    python scripts/generate_docs.py --check    write nothing; exit with 1 if a file is out of date

The numbers come from the bundled model repository (hairseg/bundled) and from benchmarks/results. The pages are Jinja
templates in scripts/templates.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from safetensors import safe_open

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
README = PROJECT / "README.md"
BUNDLED = PROJECT / "hairseg" / "bundled"
RESULTS = PROJECT / "benchmarks" / "results"

PAGES = ("results.md", "performance.md", "scaling.md")

# Prices of Hugging Face Spaces in dollars per hour, https://huggingface.co/docs/hub/spaces-gpus, November 2026.
PRICES = {"cpu_upgrade": 0.03, "l4": 0.80, "a100": 2.50}

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")

DATASET_NAMES = {"celebamask-hq": "CelebAMask-HQ", "figaro1k": "Figaro1k"}


def score(value: float | None) -> str:
    """Format a score with four digits; None is a dash."""
    return "-" if value is None else f"{value:.4f}"


def percent(fraction: float) -> str:
    """Format a fraction as a percentage with two decimals."""
    return f"{100 * fraction:.2f} %"


def significant(value: float, digits: int = 2) -> str:
    """Round to significant digits, without an exponent."""
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def read_json(path: Path) -> Any:
    """Parse a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_metrics() -> dict[str, Any]:
    """Read the bundled metrics.json, and give every data set a display name."""
    metrics = read_json(BUNDLED / "metrics.json")
    for part in (metrics, *metrics["others"]):
        part["name"] = DATASET_NAMES.get(part["dataset"], part["dataset"])
        part.setdefault("full_resolution", part.get("own_size"))
    return metrics


def count_parameters(weights: Path) -> int:
    """Count the trainable numbers in a safetensors file; running statistics of normalisation layers do not count."""
    with safe_open(weights, "numpy") as tensors:
        shapes = {name: tensors.get_slice(name).get_shape() for name in sorted(tensors.keys())}
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(BUFFERS))


def context() -> dict[str, Any]:
    """Collect the values that the templates use."""
    weights = BUNDLED / "pretrained" / "model.safetensors"
    return {
        "metrics": read_metrics(),
        "config": read_json(BUNDLED / "config.json"),
        "parameters": count_parameters(weights),
        "megabytes": weights.stat().st_size / 1e6,
        "prices": PRICES,
        "results": {path.stem.replace("-", "_"): read_json(path) for path in sorted(RESULTS.glob("*.json"))},
    }


def generate() -> dict[Path, str]:
    """Render every generated file.

    Returns:
        The text of each file by its path.
    """
    environment = Environment(
        loader=FileSystemLoader(PROJECT / "scripts" / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"score": score, "percent": percent, "significant": significant}
    values = context()
    files = {DOCS / name: environment.get_template(name).render(values) for name in PAGES}
    table = environment.get_template("readme-results.md").render(values)
    files[README] = replace_section(README.read_text(encoding="utf-8"), "results", table)
    return files


def replace_section(text: str, name: str, content: str) -> str:
    """Replace what stands between the comments `<!-- NAME: ... -->` and `<!-- end of NAME -->`."""
    pattern = rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end of {name} -->)"
    replaced, count = re.subn(pattern, lambda match: match[1] + content + match[2], text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"The section {name!r} occurs {count} times instead of once.")
    return replaced


def main() -> int:
    """Write or check the files, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is out of date")
    check = parser.parse_args().check
    outdated = {
        path: text for path, text in generate().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in outdated.items():
        if not check:
            path.write_text(text, encoding="utf-8")
        print(f"{'out of date' if check else 'written'}: {path.relative_to(PROJECT)}", file=sys.stderr)
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
