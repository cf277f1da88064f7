"""Use cases: plain functions that decide by the domain and act through ports."""
