"""Whether two measurements of one thing agree: readers, engines, perturbed extractions."""
