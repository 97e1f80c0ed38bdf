"""Tables of the analysis `prediction`, and of a validation."""
