"""Procedures repeated: refits of an ablation, resamples of the optimism."""
