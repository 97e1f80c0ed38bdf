"""Pages beside the report of a study, each made from the tables of one command."""
