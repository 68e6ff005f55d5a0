"""Per family one frozen config and one build(config)."""
