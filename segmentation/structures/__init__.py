"""Which structure of a mask file is meant: segments, labels, names of levels."""
