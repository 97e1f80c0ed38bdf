"""What a study fitted, written as the plain numbers of `models.frozen`."""
