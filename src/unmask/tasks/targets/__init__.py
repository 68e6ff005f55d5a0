"""What a classifier's outputs mean: one label of several, any number of labels, or a number."""
