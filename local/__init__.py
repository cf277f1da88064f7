"""The local stack: the product's own template on an AWS emulator, beside a stand-in for Stripe.

`make run` starts it, `make stop` ends it; README.md in this folder says what differs from AWS.
"""
