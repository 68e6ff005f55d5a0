"""A loaded checkpoint answering fast."""
