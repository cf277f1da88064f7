"""The only places that know a vendor: each fulfils a port and translates to the domain's shapes."""
