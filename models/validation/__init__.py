"""A model on patients that it was not fitted to: what it is worth there, and how it is updated."""
