"""Results in words that a reader without statistics takes in once."""
