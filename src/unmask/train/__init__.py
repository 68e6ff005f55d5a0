"""The one training loop, its optimizer, schedule, evaluation and log."""
