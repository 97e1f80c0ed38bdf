"""Groups of rows compared: tests, which of them by rule, effects, several rows of a patient."""
