"""Tables of the analysis `outcomes`: groups and their course."""
