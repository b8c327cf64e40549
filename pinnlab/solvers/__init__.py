"""Classical solvers: method of lines, exponential integrator, steady Newton; error floors."""
