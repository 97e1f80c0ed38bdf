"""Sections of the report that the analysis `outcomes` brings."""
