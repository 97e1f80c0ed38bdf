"""Copies that identify nobody, and the pseudonymous study on disk."""
