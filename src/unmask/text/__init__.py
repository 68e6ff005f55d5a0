"""Text to token ids and back, and learning a vocabulary."""
