"""The verbs of the `unmask` command."""
