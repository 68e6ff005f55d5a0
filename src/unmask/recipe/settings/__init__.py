"""The settings of each kind of run; no file here imports tensors."""
