"""The one table: how each of the domain's shapes is kept, and the writes that belong together."""
