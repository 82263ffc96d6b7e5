"""The model card: metadata for the Hub and a page for people, every number from config.json and metrics.json."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData, constants

from hairseg.paper import PAPER_AUROC
from hairseg.repository.config import Config
from hairseg.repository.leaderboard import format_percentage, format_score
from hairseg.repository.metrics import Metrics, Transfer

TEMPLATE = "model_card.md"

METRIC_NAMES = {
    "auroc": "AUROC",
    "f1": "F1",
    "iou": "IoU",
    "mse": "MSE",
    "boundary_iou": "Boundary IoU",
    "calibration_error": "Calibration error",
}

INDEXED = {"auroc": "roc_auc", "f1": "f1", "iou": "iou"}  # what the Hub shows beside the card, and its names for it

DATASETS = {"celebamask-hq": "CelebAMask-HQ", "figaro1k": "Figaro1k", "borza": "Borza et al. 2018 (CelebA)"}

HUB_DATASETS = {"celebamask-hq": "liusq/CelebAMask-HQ"}  # the archive as its authors published it, uploaded by another

BASES = {  # what a pretrained variant started from, as the Hub calls it; torchvision's COCO weights are not there
    ("resnet101", "imagenet"): "timm/resnet101.tv2_in1k",
    ("resnet50", "imagenet"): "timm/resnet50.tv2_in1k",
    ("efficientnet_lite0", "imagenet"): "timm/efficientnet_lite0.ra_in1k",
    ("efficientnet_lite2", "imagenet"): "timm/tf_efficientnet_lite2.in1k",
}

WATTS = {  # of boards, by their makers' data sheets
    "H200": 700,
    "H100": 700,
    "A100": 400,
    "V100": 300,
    "RTX 4090": 450,
    "RTX 3090": 350,
    "GTX 1060": 120,
    "L4": 72,
    "T4": 70,
}

WATTS_PER_THREAD = 10  # of a CPU: a server of 64 threads draws about 600

MARK = re.compile(r"\n<!-- hairseg: ([0-9a-f]{64}) -->\n\Z")


def render_card(config: Config, metrics: Metrics, repo_id: str = "USER/NAME", onnx_variants: Sequence[str] = ()) -> str:
    """README.md of a model repository, from the template model_card.md.

    Args:
        config: as in config.json.
        metrics: as in metrics.json: the scores of one data set's split. Scores may be None (nothing to score).
        repo_id: how the card's examples load the repository.
        onnx_variants: those that the repository also has as ONNX files.

    Returns:
        The card's text, closed by a checksum by which a later push knows whether its owner has edited it.
    """
    datasets = list(dict.fromkeys(name for entry in config.variants.values() for name in entry.datasets))
    started = [(config.backbone, entry.init or "") for entry in config.variants.values()]
    bases = sorted(BASES[start] for start in started if start in BASES)
    results = _eval_results(metrics)
    data = ModelCardData(
        license="other",
        license_name="research-only",
        language="en",
        library_name="hairseg",
        pipeline_tag="image-segmentation",
        tags=["hair-segmentation", "semantic-segmentation", "deeplabv3", config.backbone.replace("_", "-"), "hairseg"],
        datasets=[HUB_DATASETS[name] for name in datasets if name in HUB_DATASETS] or None,
        base_model=bases[0] if bases else None,
        metrics=list(INDEXED.values()),
        model_name="HairSeg" if results else None,
        eval_results=results or None,
    )
    card = ModelCard.from_template(
        data,
        template_path=str(_template()),
        config=config,
        results=metrics,
        repo_id=repo_id,
        onnx_variants=onnx_variants,
        hub=constants.ENDPOINT,
        metric_names=METRIC_NAMES,
        paper_auroc=PAPER_AUROC,
        dataset_name=dataset_name(metrics.dataset or ""),
        dataset_names=DATASETS,
        trained_on=[dataset_name(name) for name in datasets],
        on_hub={dataset_name(name): HUB_DATASETS[name] for name in datasets if name in HUB_DATASETS},
        score=format_score,
        percentage=format_percentage,
        power=power,
        photos_saved=photos_saved,
    )
    text = card.content.rstrip("\n") + "\n"
    return f"{text}\n<!-- hairseg: {_checksum(text)} -->\n"


def _template() -> Path:
    """It lies at the top of a checkout; an installed package has it beside this file."""
    installed = Path(__file__).with_name(TEMPLATE)
    return installed if installed.is_file() else Path(__file__).parents[2] / TEMPLATE


def is_as_rendered(card: str) -> bool:
    """Whether nobody has changed a card since `render_card` wrote it."""
    mark = MARK.search(card)
    return mark is not None and _checksum(card[: mark.start()]) == mark[1]


def dataset_name(dataset: str) -> str:
    """What people call a data set."""
    return DATASETS.get(dataset, dataset)


def power(device: str) -> int | None:
    """Watts that a device of training draws when it is busy; None where that is not known.

    Example:
        >>> power("cpu, 2 threads"), power("4 x NVIDIA H100 80GB HBM3"), power("NVIDIA L40S"), power("abacus")
        (20, 2800, None, None)
    """
    processes, _, name = device.rpartition(" x ")
    threads = re.fullmatch(r"cpu, (\d+) threads", name)
    if threads:
        each = WATTS_PER_THREAD * int(threads[1])
    else:
        each = next((watts for known, watts in WATTS.items() if re.search(rf"\b{known}\b", name)), None)
    return each and each * int(processes or 1)


def photos_saved(transfer: Transfer) -> str:
    """What the curve over numbers of photos says, in a sentence.

    Args:
        transfer: as `benchmarks/transfer.py` puts it into metrics.json: F1 by variant and number of photos, and the
            share of the photos with which the pretrained variant is as good as the random one with all of them.

    Example:
        >>> photos_saved(Transfer(f1={"random": {"50": 0.5, "800": 0.8}}, photos_saved=0.25))
        'Pretrained, 200 photos do what 800 do from random weights.'
    """
    numbers = sorted(map(int, transfer.f1["random"]))
    if transfer.photos_saved is None:
        return f"From random weights, {numbers[-1]} photos do more than all do pretrained."
    enough = round(transfer.photos_saved * numbers[-1])
    if enough <= numbers[0]:
        return f"Pretrained, as few as {numbers[0]} photos do more than {numbers[-1]} do from random weights."
    return f"Pretrained, {enough} photos do what {numbers[-1]} do from random weights."


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _eval_results(metrics: Metrics) -> list[EvalResult]:
    dataset = metrics.dataset or ""
    return [
        EvalResult(
            task_type="image-segmentation",
            task_name="Hair segmentation",
            dataset_type=HUB_DATASETS.get(dataset) or dataset,
            dataset_name=dataset_name(dataset),
            dataset_split=metrics.split,
            metric_type=name,
            metric_name=f"{METRIC_NAMES[metric]} ({variant})",
            metric_value=getattr(scores, metric),
        )
        for variant, scores in metrics.variants.items()
        for metric, name in INDEXED.items()
        if getattr(scores, metric) is not None
    ]
