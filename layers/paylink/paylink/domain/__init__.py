"""The rules of payments, money and invoices: no I/O, no vendor, no clock."""
