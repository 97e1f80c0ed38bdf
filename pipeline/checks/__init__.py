"""Checks of the preflight, over one mask and over the cohort."""
