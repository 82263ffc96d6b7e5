"""`python train.py` is `hairseg train`, and runs under `accelerate launch`."""

from hairseg.cli import main

if __name__ == "__main__":
    main("train")
