"""The paper's own network by its own recipe: what came out, beside what the paper gives.

    python train.py --data CelebAMask-HQ --variants random --output runs/paper-random
    python benchmarks/reproduction.py --repo runs/paper-random --seeds runs/paper-random-1 runs/paper-random-2

Keeps what is known of the training in benchmarks/results/reproduction.json, beside what is there of the other variant,
and makes docs/reproduction.md and its figures from that file. Of trainings with other seeds, what they came to is kept.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from common import PROJECT, parser_of
from jinja2 import Template

from hairseg.cli.common import run
from hairseg.evaluation.figures import draw_history
from hairseg.files import write_bytes, write_json
from hairseg.paper import PAPER_AUROC
from hairseg.repository import ModelRepository
from hairseg.training.recipes import RECIPES

PAGE = PROJECT / "docs" / "reproduction.md"

TEMPLATE = Path(__file__).with_suffix(".md")

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


def record_of(repository: ModelRepository, others: Sequence[ModelRepository] = ()) -> dict:
    """What is known of a training: settings, scores of every epoch, and scores of the one that was kept.

    Args:
        others: trained like the repository, with other seeds.
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
                "seeds": [seed_of(trained, variant) for trained in (repository, *others)],
            }
            for variant, entry in config.variants.items()
        },
    }


def seed_of(repository: ModelRepository, variant: str) -> dict:
    """What a training came to: its seed, the epoch kept, and that epoch's scores as they were during training."""
    entry = repository.config.variants[variant]
    kept = repository.history(variant)[(entry.best_epoch or 1) - 1]
    return {"seed": entry.seed, "kept": kept}


def page_of(record: dict) -> str:
    """docs/reproduction.md, every number from the record or the paper's."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(record, paper_auroc=PAPER_AUROC, recipes=RECIPES["paper"]).rstrip("\n") + "\n"


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.set_defaults(output=PROJECT / "benchmarks" / "results" / "reproduction.json")
    parser.add_argument("--repo", required=True, type=Path, help="model repository trained by the recipe `paper`")
    parser.add_argument("--seeds", nargs="+", default=[], type=Path, help="the same, trained with other seeds")
    args = parser.parse_args()
    record = record_of(ModelRepository(args.repo), [ModelRepository(folder) for folder in args.seeds])
    if args.output.exists():
        record["variants"] = json.loads(args.output.read_text())["variants"] | record["variants"]
    write_json(args.output, record)
    write_bytes(PAGE, page_of(record).encode())
    for variant, trained in record["variants"].items():
        figure = PAGE.with_name(f"reproduction-{variant}.png")
        draw_history(figure, trained["history"], f"{variant}, {record['backbone']}", trained["settings"]["best_epoch"])
    print(f"written: {args.output} and {PAGE}")


if __name__ == "__main__":
    run(main)
