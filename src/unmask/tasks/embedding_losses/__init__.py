"""What sentence embeddings are trained by: losses of the embeddings of pairs, triplets and more."""
