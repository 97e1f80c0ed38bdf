"""Which patient, series, vertebra and reader a mask belongs to."""
