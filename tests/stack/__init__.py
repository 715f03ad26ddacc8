"""The real parts that tests, demo and benchmarks stand on, got from a bare machine.

Everything here is standard library only: it runs before the project's own dependencies are there.
"""
