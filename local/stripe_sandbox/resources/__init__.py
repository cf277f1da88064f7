"""One module per Stripe resource: plain functions from a `Context` to the JSON that is answered."""
