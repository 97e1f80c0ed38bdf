"""A frozen model used on new patients. Nothing imports this package, and it knows no learning."""
