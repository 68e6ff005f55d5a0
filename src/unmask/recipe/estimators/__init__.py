"""Fine-tuning behind scikit-learn's face: fit, predict, score, in pipelines and grid searches."""
