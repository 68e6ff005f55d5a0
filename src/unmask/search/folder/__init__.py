"""An index that lies in a folder, memory-mapped."""
