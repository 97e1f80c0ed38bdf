"""How many planted faults the preflight finds, and how often it cries wolf on clean masks."""
