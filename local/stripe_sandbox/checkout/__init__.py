"""The hosted checkout page: what the buyer sees, fills in and sends."""
