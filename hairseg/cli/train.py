"""`hairseg train`: train both variants and write a model repository."""

from hairseg.cli.options import expand_dataclasses
from hairseg.training.options import TrainOptions


def _backbones() -> list[str]:
    from hairseg.networks.backbones import BACKBONES

    return list(BACKBONES)


@expand_dataclasses(backbone=_backbones)
def train(options: TrainOptions) -> None:
    """Train both variants and write a model repository.

    \b
    Examples:
      hairseg train --data CelebAMask-HQ
      hairseg train --data CelebAMask-HQ --backbone efficientnet_lite0 --resume
      hairseg train --data CelebAMask-HQ Figaro1k --scenes BSDS500 --recipe modern
      hairseg train --data CelebAMask-HQ street --recipe finetune --start runs/resnet101-modern
      hairseg train --data CelebAMask-HQ --push-to USER/NAME
      accelerate launch --multi_gpu --num_processes 8 train.py --data CelebAMask-HQ --batch-size 48
    """
    from hairseg.training.train import train as run_training

    run_training(options)
