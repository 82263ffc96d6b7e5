"""`python evaluate.py` is `hairseg evaluate`."""

from hairseg.cli import main

if __name__ == "__main__":
    main("evaluate")
