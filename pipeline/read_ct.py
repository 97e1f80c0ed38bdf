"""Moved: ``vertebromics read-ct``."""

from pipeline.core.command_names import run_moved

if __name__ == "__main__":
    run_moved("pipeline.read_ct", "pipeline.imaging.read_ct")
