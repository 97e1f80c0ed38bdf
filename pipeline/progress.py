"""Moved: ``vertebromics run``."""

from pipeline.core.command_names import run_moved

if __name__ == "__main__":
    run_moved("pipeline.progress", "pipeline.running.run")
