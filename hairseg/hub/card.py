"""The model card: README.md with metadata for the Hub, rendered from config.json and metrics.json."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData, constants

from hairseg.paper import PAPER_AUROC
from hairseg.repository.config import Config
from hairseg.repository.dataset_names import dataset_name
from hairseg.repository.leaderboard import format_percentage, format_score
from hairseg.repository.metrics import Metrics
from hairseg.repository.photo_types import AGREEMENT_NOTE
from hairseg.repository.transfer import describe_experiment, summarise_transfer

TEMPLATE = "model_card.md"

METRIC_LABELS = {
    "auroc": "AUROC",
    "f1": "F1",
    "iou": "IoU",
    "mse": "MSE",
    "boundary_iou": "Boundary IoU",
    "calibration_error": "Calibration error",
}

# The Hub shows these beside the card, under its own names.
HUB_METRICS = {"auroc": "roc_auc", "f1": "f1", "iou": "iou"}

# The authors' archive, uploaded by another person.
HUB_DATASETS = {"celebamask-hq": "liusq/CelebAMask-HQ"}

# Pretrained weights on the Hub by backbone and init. torchvision's COCO weights are not there.
BASE_MODELS = {
    ("resnet101", "imagenet"): "timm/resnet101.tv2_in1k",
    ("resnet50", "imagenet"): "timm/resnet50.tv2_in1k",
    ("efficientnet_lite0", "imagenet"): "timm/efficientnet_lite0.ra_in1k",
    ("efficientnet_lite2", "imagenet"): "timm/tf_efficientnet_lite2.in1k",
}

CHECKSUM_COMMENT = re.compile(r"\n<!-- hairseg: ([0-9a-f]{64}) -->\n\Z")


def render_card(config: Config, metrics: Metrics, repo_id: str = "USER/NAME", onnx_variants: Sequence[str] = ()) -> str:
    """Render README.md of a model repository from the template model_card.md.

    Args:
        config: the repository's config.json.
        metrics: its metrics.json; scores may be None.
        repo_id: the Hub id in the card's examples.
        onnx_variants: the variants that are also exported to ONNX.

    Returns:
        The card. It ends with a checksum, by which a later push recognises whether it was edited.
    """
    datasets = list(dict.fromkeys(name for entry in config.variants.values() for name in entry.datasets))
    inits = [(config.backbone, entry.init or "") for entry in config.variants.values()]
    base_models = sorted(BASE_MODELS[init] for init in inits if init in BASE_MODELS)
    results = _eval_results(metrics)
    data = ModelCardData(
        license="other",
        license_name="research-only",
        language="en",
        library_name="hairseg",
        pipeline_tag="image-segmentation",
        tags=["hair-segmentation", "semantic-segmentation", "deeplabv3", config.backbone.replace("_", "-"), "hairseg"],
        datasets=[HUB_DATASETS[name] for name in datasets if name in HUB_DATASETS] or None,
        base_model=base_models[0] if base_models else None,
        metrics=list(HUB_METRICS.values()),
        model_name="HairSeg" if results else None,
        eval_results=results or None,
    )
    card = ModelCard.from_template(
        data,
        template_path=str(_find_template()),
        config=config,
        results=metrics,
        repo_id=repo_id,
        onnx_variants=onnx_variants,
        hub=constants.ENDPOINT,
        metric_labels=METRIC_LABELS,
        paper_auroc=PAPER_AUROC,
        dataset_name=dataset_name,
        training_datasets=[dataset_name(name) for name in datasets],
        hub_datasets={dataset_name(name): HUB_DATASETS[name] for name in datasets if name in HUB_DATASETS},
        score=format_score,
        percentage=format_percentage,
        describe_experiment=describe_experiment,
        summarise_transfer=summarise_transfer,
        agreement_note=AGREEMENT_NOTE,
    )
    text = card.content.rstrip("\n") + "\n"
    return f"{text}\n<!-- hairseg: {_checksum(text)} -->\n"


def is_unedited(card: str) -> bool:
    """Return whether a card is exactly what `render_card` returned."""
    comment = CHECKSUM_COMMENT.search(card)
    return comment is not None and _checksum(card[: comment.start()]) == comment[1]


def _find_template() -> Path:
    # The template is at the top of a checkout, and beside this file in an installed package.
    installed = Path(__file__).with_name(TEMPLATE)
    return installed if installed.is_file() else Path(__file__).parents[2] / TEMPLATE


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
            metric_type=hub_name,
            metric_name=f"{METRIC_LABELS[metric]} ({variant})",
            metric_value=getattr(scores, metric),
        )
        for variant, scores in metrics.variants.items()
        for metric, hub_name in HUB_METRICS.items()
        if getattr(scores, metric) is not None
    ]
