"""rnncli trains, runs and explains recurrent sequence models from the shell."""

__version__ = "0.1.0"
