"""One file a family of models, called as the option `models` calls it."""
