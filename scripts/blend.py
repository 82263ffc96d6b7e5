"""Interpolate the weights of a model repository with those before its last training runs.

    python scripts/blend.py --before hairseg/bundled --after runs/first runs/second --fraction 0.25 --output runs/blend

`runs/first` was trained from `hairseg/bundled`, and `runs/second` from `runs/first`. The output has the history of
both, with figures 4 and 5. Score it with `hairseg evaluate`. Fine-tuned weights that are interpolated with their
initial ones forget less (M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hairseg.errors import InputError
from hairseg.evaluation.figures import draw_history
from hairseg.repository import ModelRepository
from hairseg.repository.config import Blend, VariantConfig
from hairseg.repository.metrics import EpochRecord
from hairseg.training.state import interpolate_weights
from hairseg.training.train import HISTORY_FIGURES


def blend(before: Path, after: Sequence[Path], fraction: float, output: Path) -> None:
    """Write the repository `output` with interpolated weights.

    Args:
        before: the repository that the first training run started from.
        after: the repositories of the runs, in order. The weights of the last one are interpolated.
        fraction: weight of `before`, from 0 to 1.
        output: folder of the new repository.

    Raises:
        InputError: a repository is incomplete, or was not trained from the one before it.
    """
    old, result = ModelRepository(before), ModelRepository(output)
    chain = [old, *map(ModelRepository, after)]
    new = chain[-1]
    entries: dict[str, VariantConfig] = {}
    for variant, entry in new.config.variants.items():
        if missing := [repository.folder for repository in chain if variant not in repository.config.variants]:
            raise InputError(
                f"{missing[0]} has no variant {variant}.", remedy="Choose repositories with the same variants."
            )
        stages = [len(repository.config.variants[variant].stages()) for repository in chain]
        if stages != list(range(stages[0], stages[0] + len(stages))):
            raise InputError(
                "Each repository of --after must be trained from the one before it.", remedy="Name all, in order."
            )
        trained, initial = (repository.load_network(variant).state_dict() for repository in (new, old))
        result.save_weights(variant, new.config.backbone, interpolate_weights(trained, initial, fraction))
        history: list[EpochRecord] = []
        for repository in chain[1:]:
            finished = len(history)
            for record in repository.history(variant):
                record["epoch"] += finished
                history.append(record)
        result.save_history(variant, history)
        title, last = f"{variant}, {new.config.backbone}", len(history) - len(new.history(variant))
        draw_history(result.figure(HISTORY_FIGURES[variant]), history, title, last + (entry.best_epoch or 0))
        entries[variant] = entry.model_copy(update={"blend": Blend(fraction=fraction, trainings=len(after))})
    result.save_config(new.config.model_copy(update={"variants": entries}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="repository that the first run started from")
    parser.add_argument("--after", type=Path, nargs="+", required=True, help="repositories of the runs, in order")
    parser.add_argument("--fraction", type=float, required=True, help="weight of --before, from 0 to 1")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new repository")
    args = parser.parse_args()
    blend(args.before, args.after, args.fraction, args.output)


if __name__ == "__main__":
    main()
