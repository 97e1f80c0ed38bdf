"""Masks of vertebrae: read, check, compare between readers, picture."""
