"""`python -m tests.fuzz.dataset --seconds N`: see driver.py."""

from tests.fuzz.driver import main

if __name__ == "__main__":
    main("tests.fuzz.dataset_check")
