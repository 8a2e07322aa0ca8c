"""Training, evaluation and export of the surface-defect classifier."""
