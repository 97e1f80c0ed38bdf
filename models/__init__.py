"""Selection, estimators, search, evaluation and ablation on tables; knows nothing of images."""
