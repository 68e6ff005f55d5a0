"""Hugging Face's names for our parameters, both ways."""
