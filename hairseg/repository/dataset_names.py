"""Display names of the data sets in config.json and metrics.json."""

DATASET_NAMES = {
    "celebamask-hq": "CelebAMask-HQ",
    "figaro1k": "Figaro1k",
    "borza": "Borza et al. 2018 (CelebA)",
    "everyday": "everyday (labels by agreement)",
    "hair-types": "hair-types (labels by agreement)",
}


def dataset_name(dataset: str) -> str:
    """Return the display name of a data set, or its id if it has none.

    Example:
        >>> dataset_name("figaro1k"), dataset_name("street")
        ('Figaro1k', 'street')
    """
    return DATASET_NAMES.get(dataset, dataset)
