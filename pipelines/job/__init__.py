"""The nightly job: its sequence, lock, signals, watchdog and exit codes. The packages that it calls do the work."""
