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

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))  # works without an installed package

from hairseg.paper import PAPER_AUROC  # noqa: E402
from hairseg.repository import BUNDLED, ModelRepository  # noqa: E402
from hairseg.repository.dataset_names import dataset_name  # noqa: E402
from hairseg.repository.leaderboard import format_percentage, format_score  # noqa: E402
from hairseg.repository.metrics import Metrics  # noqa: E402
from hairseg.repository.photo_types import AGREEMENT_NOTE, FRAMING_NAMES  # noqa: E402
from hairseg.repository.transfer import describe_experiment, summarise_transfer  # noqa: E402
from hairseg.training.recipes import RECIPES  # noqa: E402

DOCS = PROJECT / "docs"
README = PROJECT / "README.md"
RESULTS = PROJECT / "benchmarks" / "results"

PAGES = ("results.md", "reproduction.md", "performance.md", "scaling.md")

# Prices of Hugging Face Spaces in dollars per hour, https://huggingface.co/docs/hub/spaces-gpus, November 2026.
PRICES = {"cpu_upgrade": 0.03, "l4": 0.80}

FRAMINGS = {size: name.partition(": ")[2] for size, name in FRAMING_NAMES.items()} | {"1/1": "the whole picture"}

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def significant(value: float, digits: int = 2) -> str:
    """Round to significant digits, without an exponent."""
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def duration(seconds: float) -> str:
    """Format a duration in seconds below two minutes, in minutes above."""
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def read_json(path: Path) -> Any:
    """Parse a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def count_parameters(weights: Path) -> int:
    """Count the trainable numbers in a safetensors file; running statistics of normalisation layers do not count."""
    with safe_open(weights, "numpy") as tensors:
        shapes = {name: tensors.get_slice(name).get_shape() for name in sorted(tensors.keys())}
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(BUFFERS))


def context() -> dict[str, Any]:
    """Collect the values that the templates use."""
    repository, weights = ModelRepository(BUNDLED), BUNDLED / "pretrained" / "model.safetensors"
    results = {path.stem.replace("-", "_"): read_json(path) for path in sorted(RESULTS.glob("*.json"))}
    return {
        "metrics": repository.metrics(),
        "config": repository.config,
        "paper_auroc": PAPER_AUROC,
        "recipes": RECIPES,
        "parameters": count_parameters(weights),
        "megabytes": weights.stat().st_size / 1e6,
        "prices": PRICES,
        "framings": FRAMINGS,
        "agreement_note": AGREEMENT_NOTE,
        "describe_experiment": describe_experiment,
        "summarise_transfer": summarise_transfer,
        "results": results,
        "peer_metrics": Metrics.model_validate(results["peers"]["scores"]) if "peers" in results else None,
    }


def render(name: str, values: dict[str, Any]) -> str:
    """Render a template of scripts/templates with the values from `context`."""
    environment = Environment(
        loader=FileSystemLoader(PROJECT / "scripts" / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"score": format_score, "percent": format_percentage, "dataset": dataset_name}
    environment.filters |= {"significant": significant, "duration": duration}
    return environment.get_template(name).render(values)


def generate() -> dict[Path, str]:
    """Render every generated file.

    Returns:
        The text of each file by its path.
    """
    values = context()
    files = {DOCS / name: render(name, values) for name in PAGES}
    table = render("readme-results.md", values)
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
