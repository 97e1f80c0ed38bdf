"""Table 1: every variable described in total and by group, and compared."""
