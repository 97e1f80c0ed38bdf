"""Tables of a study: what each holds, which mistakes in it are named."""
