"""Handed-in tables of any format, read as text."""
