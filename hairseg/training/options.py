"""Options of a training, which are those of `hairseg train`. Parsing them must not import PyTorch."""

# ruff: noqa: RUF009  `_option` calls dataclasses.field

import os
import shlex
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from hairseg.paper import VARIANTS


def _option(help: str, default: Any = MISSING, metavar: str | None = None, **metadata: Any) -> Any:
    metadata |= {"help": help, "metavar": metavar}
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a training, each documented by the metadata of its field.

    Example:
        >>> TrainOptions(data=[Path("CelebAMask-HQ")], recipe="modern").command()
        'hairseg train --data CelebAMask-HQ --recipe modern'
    """

    data: list[Path] = _option(
        "Folders of data sets to train on. The test split of the first is scored after each epoch.",
        metavar="FOLDER...",
    )
    scenes: list[Path] = _option(
        "Folders of photos without people, the backgrounds of the recipes modern and finetune.",
        [],
        metavar="FOLDER...",
    )
    hats: Path | None = _option(
        "Folder of photos hat*.jpg, one hat each. Hats are pasted onto copies of some photos.",
        None,
        metavar="FOLDER",
    )
    weights: list[str] = _option(
        "How often an epoch shows each photo of a data set, of a group in it (NAME/GROUP) or of a folder of scenes; "
        "by default once.",
        [],
        metavar="NAME=X...",
    )
    start: str | None = _option(
        "Model repository to fine-tune; each variant starts from its own weights.", None, metavar="REPO"
    )
    dataset: str = _option("Layout of the data sets; auto: detect it.", "auto", metavar="LAYOUT")
    include_hairless: bool = _option("Include people without a hair mask, as empty masks.", False)
    backbone: str = _option(
        "Backbone of DeepLabV3, such as resnet101, mobilenet_v3_large or efficientnet_lite0.", "resnet101"
    )
    recipe: str = _option("paper, modern or finetune.", "paper")
    variants: list[str] = _option("Which variants to train.", list(VARIANTS), metavar="VARIANT...")
    init: str | None = _option(
        "Initial weights of the pretrained variant: coco, imagenet or a weight file; by default coco where published, "
        "or imagenet.",
        None,
    )
    epochs: int | None = _option("Number of epochs, instead of the recipe's.", None)
    learning_rate: float | None = _option("Peak learning rate, instead of the recipe's.", None)
    batch_size: int | None = _option("Photos per step over all processes, instead of the recipe's.", None)
    image_size: int | None = _option("Side of the network's square input in pixels, instead of the recipe's.", None)
    precision: str | None = _option(
        "float32, or mixed (bfloat16 where the hardware supports it), instead of the recipe's.", None
    )
    limit: int | None = _option("Use at most this many photos of each split.", None)
    seed: int = _option("Seed of all random numbers.", 0)
    workers: int = _option("Threads that decode photos; processes that read them for a GPU.", os.cpu_count() or 1)
    device: str = _option("auto, cpu or cuda.", "auto")
    resume: bool = _option("Continue from the last checkpoint in --output.", False)
    output: Path | None = _option(
        "Folder of the model repository; by default runs/BACKBONE-RECIPE.", None, metavar="FOLDER"
    )
    push_to: str | None = _option("Push the repository to the Hugging Face Hub.", None, metavar="USER/NAME")
    private: bool = _option("Make the pushed repository visible to you alone.", False)
    onnx: bool = _option("Also export to ONNX, for use without this package.", False)

    def command(self) -> str:
        """Return the command that repeats this training, with files and folders reduced to their names."""
        words = ["hairseg", "train"]
        for option in fields(self):
            default = option.default if option.default_factory is MISSING else option.default_factory()
            value = getattr(self, option.name)
            if value == default or option.name in ("resume", "workers"):
                continue
            words.append(f"--{option.name.replace('_', '-')}")
            if value is not True:
                words += map(_without_folder, value if isinstance(value, list) else [value])
        return shlex.join(words)


def _without_folder(value: object) -> str:
    """Return the name of a file or folder; other values, such as Hub ids, unchanged.

    Example:
        >>> _without_folder(Path("/home/ada/runs/hair")), _without_folder("ada/hair@v1")
        ('hair', 'ada/hair@v1')
    """
    path = Path(str(value))
    is_path = isinstance(value, Path) or path.is_absolute() or path.exists()
    return path.resolve().name if is_path else str(value)
