"""What becomes of patients over time: scales, events per person-time, survival, levels."""
