"""`python -m ossian`: the same as the command `ossian`."""

from ossian.cli import main

if __name__ == "__main__":
    main()
