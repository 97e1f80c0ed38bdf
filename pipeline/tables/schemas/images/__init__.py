"""Tables on scans and masks, before a feature is computed."""
