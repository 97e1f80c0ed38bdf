"""Numbers, words and YAML as people write them, read where they can mean one thing only."""
