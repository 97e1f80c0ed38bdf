"""Headers and cells that identify a person, which no table of a study may hold."""
