"""A soak of the server: many requests, faults and versions, for long."""
