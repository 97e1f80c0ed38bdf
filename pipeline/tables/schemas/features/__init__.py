"""Tables of features: extracted, perturbed, of controls, and how well readers agree."""
