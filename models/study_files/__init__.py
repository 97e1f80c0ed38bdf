"""What the stages of modelling read of a study and write into it."""
