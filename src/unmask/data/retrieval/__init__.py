"""Test collections of retrieval: documents, queries, judgements (qrels) and runs."""
