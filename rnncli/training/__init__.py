"""From a config and its data to a trained model in a run folder."""
