"""The store of results of single scans: entries, their digests, and those made anew."""
