"""What callers send and get, field by field, as the API contract has it."""
