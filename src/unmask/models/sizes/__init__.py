"""The numbers of each family; no file here imports tensors."""
