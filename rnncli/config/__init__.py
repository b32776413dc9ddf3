"""Settings: their schema, the YAML they come from, and the rules between them."""
