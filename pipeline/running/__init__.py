"""How a study is run: the runner, its lock, triggers and fingerprints, provenance, trace."""
