"""Compare accuracy, time and size of HairSeg with those of other networks, on the same photos.

    pip install ai-edge-litert
    python benchmarks/peers.py --data CelebAMask-HQ Figaro1k street --scenes BSDS500 animals \\
        --mediapipe mediapipe_hair_segmentation.tflite --bisenet 79999_iter.pth --output peers.json

docs/results.md has links to the weights. `--peer my_network.py:MyNetwork` adds another network, a class with three
attributes:

    class MyNetwork:
        name, megabytes = "My network", 4.2

        def alpha(self, photo): ...  # uint8 RGB (height, width, 3) -> float32 (height, width) in [0, 1]

The networks process each photo in turn, and times are medians over the photos. `--limit 20` takes 20 evenly spaced
photos of each data set and folder.
"""

import json
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from common import create_parser, report, run, wall_and_cpu_seconds
from peer_networks import FaceParsing, HairSeg, MediaPipe, Peer
from tqdm import tqdm

from hairseg.data.datasets import Pair, find_datasets, find_scenes, load_scenes
from hairseg.data.groups import scoring_groups
from hairseg.errors import InputError, quote
from hairseg.evaluation.evaluate import GroupCounts, pool_groups
from hairseg.evaluation.framing import score_hairless
from hairseg.evaluation.full_resolution import AlphaCounts, load_full_resolution
from hairseg.evaluation.metrics import MaskCounts
from hairseg.hub.resolve import default_repo, resolve
from hairseg.repository.metrics import DatasetMetrics, FullResolutionScores, Metrics

THRESHOLD = 0.5

T = TypeVar("T")


@dataclass
class Panel:
    """Networks that segment the same photos.

    Attributes:
        networks: by name.
        seconds: wall-clock and CPU time of each photo, by name.
    """

    networks: dict[str, Peer]
    seconds: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def alphas(self, photo: np.ndarray) -> dict[str, np.ndarray]:
        """Segment a photo with each network in turn.

        Raises:
            InputError: a network returns something other than an alpha of the photo's size.
        """
        found = {}
        for name, network in self.networks.items():
            began = wall_and_cpu_seconds()
            alpha = network.alpha(photo)
            self.seconds.setdefault(name, []).append(wall_and_cpu_seconds() - began)
            if alpha.shape != photo.shape[:2] or alpha.dtype != np.float32:
                raise InputError(
                    f"{name} returned {alpha.dtype} {alpha.shape} for a photo of {photo.shape[:2]}.",
                    remedy="Let `alpha` return float32 of the photo's height and width.",
                )
            found[name] = alpha
        return found

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return size, median milliseconds and training data of each network."""
        milliseconds = {name: 1000 * np.median(seconds, axis=0) for name, seconds in self.seconds.items()}
        return {
            name: {
                "megabytes": round(network.megabytes, 1),
                "ms": round(float(milliseconds[name][0])),
                "cpu_ms": round(float(milliseconds[name][1])),
                "trained_on": list(getattr(network, "trained_on", ())),
            }
            for name, network in self.networks.items()
        }


def score_dataset(panel: Panel, dataset: str, split: str, pairs: list[Pair]) -> tuple[DatasetMetrics, GroupCounts]:
    """Score all networks on a data set; return the scores, and the pixel counts by group."""
    counts = {name: AlphaCounts() for name in panel.networks}
    by_group: dict[str, dict[str, MaskCounts]] = {}
    for pair in tqdm(pairs, dataset, unit="photo"):
        photo, mask = load_full_resolution(pair, dataset)
        groups = scoring_groups(dataset, pair, mask)
        for name, alpha in panel.alphas(photo).items():
            counts[name].add(alpha, mask, THRESHOLD)
            for group in groups:
                by_group.setdefault(group, {}).setdefault(name, MaskCounts()).add(alpha >= THRESHOLD, mask)
    scores = {name: FullResolutionScores(**dict(found.scores())) for name, found in counts.items()}
    return DatasetMetrics(dataset=dataset, split=split, images=len(pairs), full_resolution=scores), by_group


def score_panel(
    panel: Panel, split: str, datasets: Mapping[str, list[Pair]], scenes: dict[str, list[np.ndarray]]
) -> Metrics:
    """Score all networks; in the result, each is a variant as in metrics.json."""
    scored, counts = [], []
    for dataset, pairs in datasets.items():
        metrics, by_group = score_dataset(panel, dataset, split, pairs)
        scored.append(metrics)
        counts.append((dataset, by_group))
    hairless = score_hairless(panel.alphas, THRESHOLD, scenes) if scenes else None
    parts = {"others": scored[1:], "photo_types": pool_groups(counts), "hairless": hairless}
    return Metrics.model_validate(scored[0].to_json() | parts)


def load_peer(text: str) -> Peer:
    """Create the network that `--peer FILE.py:CLASS` names."""
    file, _, name = text.rpartition(":")
    if not Path(file).is_file():
        raise InputError(f"--peer {quote(text)} names no file.", remedy="Give FILE.py:CLASS.")
    found = runpy.run_path(file)
    if name not in found:
        raise InputError(f"{file} has no class {quote(name)}.", remedy="Give FILE.py:CLASS.")
    return found[name]()


def subsample(items: Sequence[T], limit: int | None) -> list[T]:
    """Return at most `limit` evenly spaced items."""
    if limit is None or len(items) <= limit:
        return list(items)
    return [items[index * len(items) // limit] for index in range(limit)]


def load_peers(args: Any) -> dict[str, Peer]:
    """Load all networks by name, HairSeg first."""
    folder = resolve(args.repo).folder
    peers: list[Peer] = [HairSeg(folder, variant) for variant in args.variants]
    for path, adapter in ((args.mediapipe, MediaPipe), (args.bisenet, FaceParsing)):
        if path and not path.is_file():
            raise InputError(f"{path} is not a file.", remedy="docs/results.md has links to the weights.")
        if path:
            peers.append(adapter(path))
    peers += [load_peer(text) for text in args.peer]
    return {peer.name: peer for peer in peers}


def main() -> None:
    parser = create_parser(__doc__)
    parser.add_argument("--data", required=True, nargs="+", type=Path, help="folders of data sets")
    parser.add_argument("--scenes", nargs="+", type=Path, default=[], help="folders of photos without people")
    parser.add_argument(
        "--include-hairless", action="store_true", help="include people without a hair mask, as empty masks"
    )
    parser.add_argument("--split", default="test", choices=["train", "val", "test", "all"])
    parser.add_argument("--limit", type=int, help="maximum number of photos per data set and folder")
    parser.add_argument("--repo", default=default_repo())
    parser.add_argument("--variants", nargs="+", default=["pretrained"])
    parser.add_argument("--mediapipe", type=Path, metavar="TFLITE", help="weights of MediaPipe's hair segmenter")
    parser.add_argument("--bisenet", type=Path, metavar="PTH", help="weights of face-parsing BiSeNet")
    parser.add_argument("--peer", nargs="+", default=[], metavar="FILE.py:CLASS", help="further networks")
    args = parser.parse_args()
    datasets = {
        name: subsample([pair for pair in pairs if args.split in (pair.split, "all")], args.limit)
        for name, pairs in find_datasets(args.data, include_hairless=args.include_hairless).items()
    }
    for name, pairs in datasets.items():
        if not pairs:
            raise InputError(f"{name} has no photos in the {args.split} split.", remedy="Choose another --split.")
    scenes: list[Pair] = []
    for folder in args.scenes:
        found = [scene for scene in find_scenes(folder) if args.split in (scene.split, "all")]
        scenes += subsample(found, args.limit)
    panel = Panel(load_peers(args))
    metrics = score_panel(panel, args.split, datasets, load_scenes(scenes))
    scores = json.loads(json.dumps(metrics.to_json()), parse_float=lambda text: round(float(text), 5))
    report(
        {
            "split": args.split,
            "limit": args.limit,
            "threads": torch.get_num_threads(),
            "peers": panel.describe(),
            "scores": scores,
        },
        args.output,
    )


if __name__ == "__main__":
    run(main)
