"""HairSeg: hair masks of DeepLabV3 with and without pretraining, and hair in another colour."""

from hairseg.errors import InputError as InputError

__version__ = "0.2.0"
