"""Labelled examples in their published formats."""
