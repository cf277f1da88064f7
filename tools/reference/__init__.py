"""Makes the API's reference from its code: `docs/openapi.json` and `docs/paylink.d.ts`.

`make openapi` writes the files, `make check` compares them with the code. The function `reference`
ships copies of its own, written and compared in the same way.
"""
