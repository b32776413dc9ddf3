"""What a person should know of data before training: leaks, constants, outliers, lonely classes."""
