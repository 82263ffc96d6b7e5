"""Prediction and evaluation on a Ray cluster. Needs the extra `cluster`; serving imports nothing of it."""
