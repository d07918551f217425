"""The nightly job: its sequence, lock, signals, watchdog and exit codes. The work is done in the rooms below."""
