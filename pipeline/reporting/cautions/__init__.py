"""What limits a study's results, found in the study and said where it matters."""
