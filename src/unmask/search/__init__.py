"""Embeddings to an index, queries to passages, and near texts among many."""
