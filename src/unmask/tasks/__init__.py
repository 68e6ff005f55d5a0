"""Per task: examples, head, loss, decoding, scores."""
