"""How models do in groups of patients and scans: in a study, and in a validation of it."""
