"""What makes the engine fast, and nothing that it computes: matrix products, memory, threads, the compiler, devices."""
