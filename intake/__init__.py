"""From what a hospital hands over to a pseudonymous study. Imported by nobody."""
