"""Mask files, one module a format."""
