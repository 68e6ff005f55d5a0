"""Searching for the settings of a fine-tuning run that suit its task, model and examples."""
