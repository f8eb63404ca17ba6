"""The description of the HTTP API as OpenAPI 3.2: what `GET /api/v1/openapi.json` answers.

`document` puts it together; `paths` is the table of routes, `requests` what they take (`written`:
what may be text), `lines` of `members`, and `answers`, what they say, `statuses` how they refuse,
`examples` what tests send to a real service.
"""

__all__: list[str] = []
