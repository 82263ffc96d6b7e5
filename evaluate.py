"""Score a model repository on a data set.

python evaluate.py --data CelebAMask-HQ                         the bundled repository on the test split
python evaluate.py --data Figaro1k --repo runs/resnet101-paper --output runs/figaro1k
"""

import os
from pathlib import Path

from hairseg.cli.common import Parser, run
from hairseg.data.datasets import LAYOUTS, find_pairs, find_scenes, load_scenes
from hairseg.data.decoded import load_arrays
from hairseg.errors import InputError
from hairseg.evaluation.evaluate import evaluate
from hairseg.evaluation.report import format_report
from hairseg.hub.resolve import default_repo, resolve
from hairseg.inference.predictor import HairPredictor
from hairseg.networks.devices import select_device
from hairseg.repository import ModelRepository


def parse() -> Parser:
    parser = Parser(prog="evaluate.py", description="Score a model repository on a data set.")
    parser.add_argument("--data", required=True, type=Path, help="folder of the data set")
    parser.add_argument("--dataset", default="auto", choices=["auto", *LAYOUTS], help="auto: by layout")
    parser.add_argument(
        "--scenes",
        nargs="+",
        default=[],
        type=Path,
        help="folders of photos without people: scores framing and hair-free photos too, the latter folder by folder",
    )
    parser.add_argument(
        "--include-hairless", action="store_true", help="also people without a hair mask, as empty masks"
    )
    parser.add_argument("--split", default="test", choices=["test", "val", "train", "all"])
    parser.add_argument("--repo", default=default_repo(), help="folder or Hub id (HAIRSEG_REPO, else the bundled one)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="threads that decode photos")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/evaluation"), help="folder of metrics.json and figures"
    )
    return parser


def main() -> None:
    args = parse().parse_args()
    device = select_device(args.device)
    dataset, pairs = find_pairs(args.data, args.dataset, args.include_hairless)
    pairs = [pair for pair in pairs if args.split in (pair.split, "all")]
    if not pairs:
        raise InputError(f"{args.data} has no photos in the {args.split} split", "some", "try --split all")
    scenes = [pair for pair in find_scenes(*args.scenes) if args.split in (pair.split, "all")]
    if args.scenes and not scenes:
        raise InputError(
            f"{' and '.join(map(str, args.scenes))} has no scenes in the {args.split} split",
            "some",
            "add scenes or try --split all",
        )
    backdrops = load_scenes(scenes)
    predictor = HairPredictor(resolve(args.repo).folder, device=device)
    arrays = load_arrays({dataset: pairs}, predictor.config.preprocessing, args.workers)
    output = ModelRepository(args.output)
    metrics = evaluate(predictor, dataset, args.split, pairs, arrays, backdrops, output)
    output.save_metrics(metrics)
    print(format_report(metrics))
    print(f"written: metrics.json, figures and worst.png in {args.output}")


if __name__ == "__main__":
    run(main)
