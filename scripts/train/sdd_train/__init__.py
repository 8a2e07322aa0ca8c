"""Training, evaluation and export of the surface-defect classifier."""

__version__ = "0.1.0"
