"""Ground shared by all stages: errors, the study, tables, the store. Imports no stage."""
