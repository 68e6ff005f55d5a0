"""Bricks: modules whose constructors take numbers and modules."""
