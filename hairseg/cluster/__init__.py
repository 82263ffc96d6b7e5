"""Prediction and evaluation on a Ray cluster. Requires the extra `cluster`; the page does not import it."""
