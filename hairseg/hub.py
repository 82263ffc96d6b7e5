"""The model repository's place on the Hugging Face Hub."""

import os
from dataclasses import dataclass
from pathlib import Path

from hairseg import InputError
from hairseg.repository import BUNDLED


@dataclass(frozen=True)
class Resolved:
    folder: Path


def default_repo() -> str:
    return os.environ.get("HAIRSEG_REPO") or str(BUNDLED)


def resolve(repo: str) -> Resolved:
    if Path(repo).is_dir():
        return Resolved(Path(repo))
    raise InputError(f"{repo} is no folder: expected a HairSeg model repository.")
