"""What out-of-fold predictions are worth."""
