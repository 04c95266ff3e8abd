"""What transproc costs, measured: run time, transformation, downtime and size. `scripts/bench` runs it."""
