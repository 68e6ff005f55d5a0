"""Tables of figures that one command runs again."""
