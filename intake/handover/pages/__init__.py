"""Pages and reports for the people who handed the files over."""
