"""One figure of several sites, and what the sites differ by."""
