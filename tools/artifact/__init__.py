"""Makes what is deployed of a function or layer; run by SAM, through the makefiles beside it."""
