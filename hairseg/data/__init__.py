"""Data sets, their cache of decoded photos, and data augmentation."""
