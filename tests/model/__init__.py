"""A simulation of workers, hosts and clocks around the real operations and the real drain job."""
