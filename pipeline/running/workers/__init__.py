"""Tasks over worker processes, kept in a journal."""
