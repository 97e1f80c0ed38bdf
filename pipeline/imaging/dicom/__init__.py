"""CT in DICOM: headers, series, pixels, and the volume that its slices make."""
