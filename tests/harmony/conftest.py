"""The recorder needs a package that tests do not, so pytest leaves it alone."""

collect_ignore = ["record_official.py"]
