"""Moved: ``vertebromics new``."""

from pipeline.core.command_names import run_moved

if __name__ == "__main__":
    run_moved("pipeline.new_study", "pipeline.study.new_study")
