"""Benchmarks of Memetica: `python -m benchmarks` lists them, `python -m benchmarks.NAME --help` explains one."""
