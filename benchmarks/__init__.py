"""How fast the functions are, and why: measured on the artifacts that are deployed."""
