"""One CT, from any file to HU; geometry and volumes."""
