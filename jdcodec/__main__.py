"""`python -m jdcodec` is `jdc`, for where scripts of packages are not on the path."""

from jdcodec.cli import main

if __name__ == "__main__":
    main()
