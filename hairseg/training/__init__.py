"""Training of both variants."""
