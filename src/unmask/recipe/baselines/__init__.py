"""What no fine-tuning comes to on the same examples, so that a result can be judged."""
