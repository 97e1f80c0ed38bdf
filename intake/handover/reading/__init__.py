"""What was handed over, read: files, headers, series, patients, and outlines of masks."""
