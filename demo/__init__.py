"""Makes the synthetic demo study, and fetches public CT for the real one."""
