"""Moved: ``vertebromics phi-scan``."""

from pipeline.core.command_names import run_moved

if __name__ == "__main__":
    run_moved("pipeline.phi_scan", "intake.phi_scan")
