"""A study: its options, its configuration, its frozen form."""
