"""`python app.py` is `hairseg serve`."""

from hairseg.cli import main

if __name__ == "__main__":
    main("serve")
