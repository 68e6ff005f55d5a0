"""How good predictions are, how sure that figure is, and what to tune on validation data."""
