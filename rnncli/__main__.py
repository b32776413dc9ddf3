"""``python -m rnncli``."""

from rnncli.cli.app import main

if __name__ == "__main__":
    main()
