"""A stateful stand-in for Stripe: its HTTP API, webhooks and hosted checkout page, on this machine.

Production code and the official SDK run against it unchanged; only the API's base address differs.
"""
