"""Sections of the report on images, masks and features."""
