"""The hospital's clinical sheet -> a clinical table by pseudonym, in which nobody is identified."""
