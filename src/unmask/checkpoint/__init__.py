"""How a model lies on disk."""
