"""The figures of the report, one subject a file."""
