"""A fitted model as a thing of its own: its file, nomogram and calculator."""
