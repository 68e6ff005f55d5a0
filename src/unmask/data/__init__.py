"""Documents to shards to batches; masking as pure seeded functions."""
