"""Pages and pictures of masks."""
