"""HairSeg: hair masks of DeepLabV3 with and without pretraining, and hair in another colour."""

__version__ = "0.2.0"


class InputError(ValueError):
    """Something a user handed over cannot be used.

    The message is one sentence that names the value, what was expected and the remedy; commands print it as one line
    and exit with code 2, the page shows it.
    """
