"""Sections of the report that the analysis `prediction` brings."""
