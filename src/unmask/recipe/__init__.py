"""Whole runs as data, and how they are carried out."""
