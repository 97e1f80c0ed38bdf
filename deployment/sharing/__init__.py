"""What leaves a study as results: counts and figures of groups, none of a single patient."""
