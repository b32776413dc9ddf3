"""What a table holds, guessed from its text: how it is written, what its columns are for, what could be asked."""
