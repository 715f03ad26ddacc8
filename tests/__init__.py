"""The tests, and the stack of real parts that they, the demo and the benchmarks run on."""
