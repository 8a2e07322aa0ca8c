"""Images, labels and folds."""
