"""Interpolate the weights of a model repository with those before its last trainings.

    python scripts/blend.py --before hairseg/bundled --after runs/finetuned --fraction 0.25 --output runs/blend

`--after` was trained from `--before`, in one or more trainings. Score the output with `hairseg evaluate`. Fine-tuned
weights that are interpolated with their initial ones forget less (M. Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022).
"""

import argparse
from pathlib import Path

from hairseg.errors import InputError
from hairseg.repository import ModelRepository
from hairseg.repository.config import Blend, VariantConfig
from hairseg.training.state import interpolate_weights


def blend(before: Path, after: Path, fraction: float, output: Path) -> None:
    """Write the repository `output` with interpolated weights.

    Args:
        before: the repository that the trainings started from.
        after: the repository that they resulted in.
        fraction: weight of `before`, from 0 to 1.
        output: folder of the new repository.

    Raises:
        InputError: a repository is incomplete, or `after` was not trained from `before`.
    """
    old, new, result = ModelRepository(before), ModelRepository(after), ModelRepository(output)
    entries: dict[str, VariantConfig] = {}
    for variant, entry in new.config.variants.items():
        trainings = len(entry.stages()) - len(old.config.variants[variant].stages())
        if trainings < 1:
            raise InputError(f"{after} was not trained from {before}.", remedy="Swap --before and --after.")
        states = [repository.load_network(variant).state_dict() for repository in (new, old)]
        result.save_weights(variant, new.config.backbone, interpolate_weights(*states, fraction))
        result.save_history(variant, new.history(variant))
        entries[variant] = entry.model_copy(update={"blend": Blend(fraction=fraction, trainings=trainings)})
    result.save_config(new.config.model_copy(update={"variants": entries}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--fraction", type=float, required=True, help="weight of --before, from 0 to 1")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    blend(args.before, args.after, args.fraction, args.output)


if __name__ == "__main__":
    main()
