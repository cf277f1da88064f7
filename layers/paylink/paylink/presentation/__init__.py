"""What buyers see: pages, documents, and amounts and dates in their own way of writing them."""
