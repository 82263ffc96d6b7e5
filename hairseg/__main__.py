"""`python -m hairseg` is the command `hairseg`."""

from hairseg.cli import main

if __name__ == "__main__":
    main()
