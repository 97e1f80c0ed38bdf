"""Clinical values: where they come from, their types, and what is worked out from them."""
