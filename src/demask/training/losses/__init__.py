"""Loss terms: pure functions, unweighted; the weights live in the configs."""
