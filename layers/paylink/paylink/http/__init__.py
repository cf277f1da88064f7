"""HTTP as the gateway hands it over: requests in, envelopes and pages out, rules in one place."""
