"""Record a training of the paper's network by the paper's recipe, for docs/reproduction.md.

    python train.py --data CelebAMask-HQ --variants random --output runs/paper-random
    python benchmarks/reproduction.py --repo runs/paper-random --seeds runs/paper-random-1 runs/paper-random-2
    python scripts/generate_docs.py

Settings and scores go to benchmarks/results/reproduction.json, which keeps its record of the other variant. Of
trainings with other seeds, only the kept epoch's scores are recorded. Curves by epoch go to docs/reproduction-*.png.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import PROJECT, create_parser, run

from hairseg.evaluation.figures import draw_history
from hairseg.files import write_json
from hairseg.repository import ModelRepository

SCORES = ("auroc", "f1", "iou", "mse", "boundary_iou")

SETTINGS = (
    "init",
    "learning_rate",
    "epochs",
    "batch_size",
    "loss",
    "optimiser",
    "seed",
    "datasets",
    "images",
    "best_epoch",
    "selected_by",
    "best_test_epoch",
    "seconds",
    "device",
    "versions",
)


def create_record(repository: ModelRepository, others: Sequence[ModelRepository] = ()) -> dict[str, Any]:
    """Record the settings, the scores of every epoch, and the test scores.

    Args:
        repository: model repository trained by the recipe `paper`.
        others: model repositories trained with other seeds.
    """
    metrics, config = repository.metrics(), repository.config
    return {
        "backbone": config.backbone,
        "image_size": config.image_size,
        "dataset": metrics.dataset,
        "test_photos": metrics.images,
        "variants": {
            variant: {
                "settings": {name: entry.to_json()[name] for name in SETTINGS},
                "test": {name: getattr(metrics.variants[variant], name) for name in SCORES},
                "history": repository.history(variant),
                "seeds": [record_seed(one, variant) for one in (repository, *others)],
            }
            for variant, entry in config.variants.items()
        },
    }


def record_seed(repository: ModelRepository, variant: str) -> dict[str, Any]:
    """Record the seed and the kept epoch with its scores."""
    entry = repository.config.variants[variant]
    kept = repository.history(variant)[(entry.best_epoch or 1) - 1]
    return {"seed": entry.seed, "kept": kept}


def main() -> None:
    parser = create_parser(__doc__)
    parser.set_defaults(output=PROJECT / "benchmarks" / "results" / "reproduction.json")
    parser.add_argument("--repo", required=True, type=Path, help="model repository trained by the recipe `paper`")
    parser.add_argument("--seeds", nargs="+", default=[], type=Path, help="model repositories trained with other seeds")
    args = parser.parse_args()
    record = create_record(ModelRepository(args.repo), [ModelRepository(folder) for folder in args.seeds])
    if args.output.exists():
        record["variants"] = json.loads(args.output.read_text())["variants"] | record["variants"]
    write_json(args.output, record)
    for variant, trained in record["variants"].items():
        figure = PROJECT / "docs" / f"reproduction-{variant}.png"
        draw_history(figure, trained["history"], f"{variant}, {record['backbone']}", trained["settings"]["best_epoch"])
    print(f"Wrote {args.output}. Run scripts/generate_docs.py next.")


if __name__ == "__main__":
    run(main)
