"""The description of the API as OpenAPI 3.1, and the page on which each call can be tried."""
