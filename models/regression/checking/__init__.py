"""What a fit is held against: collinearity, influence, resamples, imputed values."""
