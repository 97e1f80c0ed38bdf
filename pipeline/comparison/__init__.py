"""Agreement of measurements and comparison of groups: pure functions of arrays and tables."""
