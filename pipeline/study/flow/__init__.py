"""The flow of patients through a study's tables, and whether enough of them are left."""
