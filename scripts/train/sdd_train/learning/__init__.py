"""Training: batches, networks, cross-validation."""
