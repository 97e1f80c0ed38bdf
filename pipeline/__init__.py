"""The DAG's stages that make, join and show tables; see docs/architecture.md."""
