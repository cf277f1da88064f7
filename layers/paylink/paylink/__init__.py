"""paylink: payment links for one-off payments, in your own AWS account."""
